"""LoKr: updates that are the Kronecker product of a small and a low-rank matrix."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuner.training.methods.lycoris import LycorisMethod

if TYPE_CHECKING:
    from peft import LoKrConfig
    from torch import nn


class Lokr(LycorisMethod):
    """Low-rank Kronecker product (Yeh et al. 2023, arXiv 2309.14859). `r` is the rank of the larger factor."""

    method: Literal["lokr"]
    learning_rate: float = Field(default=3e-3, gt=0, lt=100)

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "LoKrConfig":
        """See `Method.peft_config`."""
        from peft import LoKrConfig

        return LoKrConfig(task_type="CAUSAL_LM", r=self.r, alpha=self.alpha, **self.modules(model))
