"""LoRA+: LoRA whose second matrix learns faster than its first."""

from typing import Literal

from pydantic import Field

from tuner.training.methods.lowrank import LowRankMethod


class LoraPlus(LowRankMethod):
    """LoRA+ (Hayou et al. 2024, arXiv 2402.12354).

    Attributes:
        learning_rate: That of the first matrix, A.
        rate_ratio: The learning rate of the second matrix, B, divided by that of A. The paper's choice for language
            models is 16.
    """

    method: Literal["loraplus"]
    learning_rate: float = Field(default=3e-4, gt=0, lt=100)
    rate_ratio: float = Field(default=16, ge=1, le=1000)

    def rate(self, weight: str) -> float:
        """See `Method.rate`."""
        return self.learning_rate * (self.rate_ratio if "lora_B" in weight else 1)
