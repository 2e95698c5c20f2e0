"""LoRA: low-rank updates of the student's linear layers."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tuner.training.methods.base import Method, check_targets

if TYPE_CHECKING:
    from peft import LoraConfig
    from torch import nn


# Their weights are read by Mamba's fused kernels, past an adapter; PEFT refuses them in these models.
_NOT_IN_MAMBA = ("out_proj", "conv1d")
_MAMBA = ("mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h")


def _is_mamba(model: "nn.Module") -> bool:
    return getattr(getattr(model, "config", None), "model_type", None) in _MAMBA


class Lora(Method):
    """Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685).

    Attributes:
        r: The rank.
        alpha: The scale's numerator: updates are multiplied by alpha / r.
        dropout: The dropout on the adapter's input.
        targets: Names of the adapted projections, or `all-linear`.
    """

    merges: ClassVar[bool] = True
    packs: ClassVar[bool] = True

    method: Literal["lora"]
    learning_rate: float = Field(default=2e-4, gt=0, lt=100)
    r: int = Field(default=8, ge=1, le=1024)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all-linear"

    @property
    def size(self) -> str:
        """Such as `r8`."""
        return f"r{self.r}"

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "LoraConfig":
        """See `Method.peft_config`."""
        from peft import LoraConfig

        if self.targets != "all-linear":
            check_targets(self.targets, [name for name, _ in model.named_modules()])
        alpha: Any = self.alpha  # PEFT types it as int, but only divides it by r
        return LoraConfig(
            task_type="CAUSAL_LM",
            r=self.r,
            lora_alpha=alpha,
            lora_dropout=self.dropout,
            target_modules=self.targets if isinstance(self.targets, str) else list(self.targets),
            exclude_modules=[*_NOT_IN_MAMBA] if self.targets == "all-linear" and _is_mamba(model) else None,
            bias="none",
        )
