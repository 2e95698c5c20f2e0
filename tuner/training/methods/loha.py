"""LoHa: updates that are the elementwise product of two low-rank matrices."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuner.training.methods.lycoris import LycorisMethod

if TYPE_CHECKING:
    from peft import LoHaConfig
    from torch import nn


class Loha(LycorisMethod):
    """Low-rank Hadamard product (Hyeon-Woo et al. 2021, arXiv 2108.06098); the product's rank may be `r` squared."""

    method: Literal["loha"]
    learning_rate: float = Field(default=3e-3, gt=0, lt=100)

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "LoHaConfig":
        """See `Method.peft_config`."""
        from peft import LoHaConfig

        return LoHaConfig(task_type="CAUSAL_LM", r=self.r, alpha=self.alpha, **self.modules(model))
