"""LN tuning: the student's own normalization layers are trained."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tuner.errors import InputError
from tuner.training.methods.base import Method

if TYPE_CHECKING:
    from peft import LNTuningConfig
    from torch import nn


class LnTuning(Method):
    """LN tuning (Zhao et al. 2023, arXiv 2312.11420)."""

    merges: ClassVar[bool] = True
    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]] = "not at all"

    method: Literal["ln_tuning"]
    learning_rate: float = Field(default=1e-2, gt=0, lt=100)

    @property
    def size(self) -> str:
        """`norms`."""
        return "norms"

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "LNTuningConfig":
        """See `Method.peft_config`."""
        from peft import LNTuningConfig

        # OLMo's have no weights.
        norms = [
            name
            for name, module in model.named_modules()
            if type(module).__name__.endswith("Norm") and next(module.parameters(), None) is not None
        ]
        if not norms:
            raise InputError("the student has no normalization layer that ln_tuning could train")
        return LNTuningConfig(task_type="CAUSAL_LM", target_modules=norms)
