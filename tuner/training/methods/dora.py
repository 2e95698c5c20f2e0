"""DoRA: LoRA on the direction of a weight, and a trained magnitude of each of its columns."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from tuner.training.methods.lowrank import LowRankMethod


class Dora(LowRankMethod):
    """Weight-decomposed low-rank adaptation (Liu et al. 2024, arXiv 2402.09353)."""

    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]] = "converted"

    method: Literal["dora"]
    learning_rate: float = Field(default=1e-3, gt=0, lt=100)

    def variant(self) -> dict[str, Any]:
        """See `LowRankMethod.variant`."""
        return {"use_dora": True}
