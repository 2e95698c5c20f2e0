"""The base class of LoRA and its variants: low-rank updates of the student's linear layers."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tuner.training.methods.linear import LinearMethod

if TYPE_CHECKING:
    from peft import LoraConfig
    from torch import nn


class LowRankMethod(LinearMethod):
    """A method that adds a product of two small matrices to every adapted weight.

    Attributes:
        r: The rank.
        alpha: The scale's numerator: updates are multiplied by alpha / r.
        dropout: The dropout on the adapter's input. None by default: it costs a fifth of the speed on a CPU
            (`python -m benchmarks.training`), and over a few epochs it does not help (Schulman and Thinking Machines
            2025, LoRA Without Regret, uses none).
    """

    merges: ClassVar[bool] = True
    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]] = "as it is"

    r: int = Field(default=8, ge=1, le=1024)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @property
    def size(self) -> str:
        """Such as `r8`."""
        return f"r{self.r}"

    def variant(self) -> dict[str, Any]:
        """The arguments of the PEFT configuration by which the method differs from LoRA."""
        return {}

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "LoraConfig":
        """See `Method.peft_config`."""
        from peft import LoraConfig

        alpha: Any = self.alpha  # PEFT types it as int, but only divides it by r
        return LoraConfig(
            task_type="CAUSAL_LM",
            r=self.r,
            lora_alpha=alpha,
            lora_dropout=self.dropout,
            bias="none",
            **self.modules(model),
            **self.variant(),
        )
