"""LoRA: low-rank updates of the student's linear layers."""

from typing import Literal

from pydantic import Field

from tuner.training.methods.lowrank import LowRankMethod


class Lora(LowRankMethod):
    """Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685)."""

    method: Literal["lora"]
    learning_rate: float = Field(default=1e-3, gt=0, lt=100)
