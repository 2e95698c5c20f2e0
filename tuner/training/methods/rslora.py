"""rsLoRA: LoRA with a scale that keeps the size of updates as the rank grows."""

from typing import Any, Literal

from pydantic import Field

from tuner.training.methods.lowrank import LowRankMethod


class RsLora(LowRankMethod):
    """Rank-stabilized LoRA (Kalajdzievski 2023, arXiv 2312.03732): updates are multiplied by alpha / sqrt(r)."""

    method: Literal["rslora"]
    learning_rate: float = Field(default=5e-4, gt=0, lt=100)

    def variant(self) -> dict[str, Any]:
        """See `LowRankMethod.variant`."""
        return {"use_rslora": True}
