"""VeRA: random matrices that all layers share, and small learned vectors for each."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tuner.training.methods.linear import LinearMethod

if TYPE_CHECKING:
    from peft import VeraConfig
    from torch import nn


class Vera(LinearMethod):
    """Vector-based random matrix adaptation (Kopiczko et al. 2023, arXiv 2310.11454).

    Attributes:
        r: The rank of the shared matrices.
    """

    merges: ClassVar[bool] = True
    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]] = "converted"

    method: Literal["vera"]
    learning_rate: float = Field(default=3e-2, gt=0, lt=100)
    r: int = Field(default=256, ge=1, le=4096)

    @property
    def size(self) -> str:
        """Such as `r256`."""
        return f"r{self.r}"

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "VeraConfig":
        """See `Method.peft_config`."""
        from peft import VeraConfig

        return VeraConfig(task_type="CAUSAL_LM", r=self.r, save_projection=True, bias="none", **self.modules(model))
