"""LoKr: updates that are the Kronecker product of a small and a low-rank matrix."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tuner.training.methods.linear import LinearMethod

if TYPE_CHECKING:
    from peft import LoKrConfig
    from torch import nn


class Lokr(LinearMethod):
    """Low-rank Kronecker product (Yeh et al. 2023, arXiv 2309.14859).

    Attributes:
        r: The rank of the larger factor.
        alpha: The scale's numerator: updates are multiplied by alpha / r.
    """

    merges: ClassVar[bool] = True
    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]] = "converted"
    forbids: ClassVar = {"quantization": "PEFT has no layer of it for weights in 4 bit"}

    method: Literal["lokr"]
    learning_rate: float = Field(default=3e-3, gt=0, lt=100)
    r: int = Field(default=8, ge=1, le=1024)
    alpha: int = Field(default=16, ge=1)

    @property
    def size(self) -> str:
        """Such as `r8`."""
        return f"r{self.r}"

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "LoKrConfig":
        """See `Method.peft_config`."""
        from peft import LoKrConfig

        return LoKrConfig(task_type="CAUSAL_LM", r=self.r, alpha=self.alpha, **self.modules(model))
