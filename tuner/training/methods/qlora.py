"""QLoRA: LoRA on a student whose weights are held in 4 bit."""

from typing import Literal

from pydantic import Field

from tuner.training.methods.lowrank import LowRankMethod


class QLora(LowRankMethod):
    """QLoRA (Dettmers et al. 2023, arXiv 2305.14314): NF4 weights."""

    method: Literal["qlora"]
    learning_rate: float = Field(default=1e-3, gt=0, lt=100)
    # A section cannot be changed after it is read, so that the narrower type is safe.
    quantization: Literal["nf4"] = "nf4"  # pyright: ignore[reportIncompatibleVariableOverride]
