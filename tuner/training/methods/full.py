"""Full fine-tuning: all of the student's weights are trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tuner.training.methods.base import Method

if TYPE_CHECKING:
    from torch import nn


class Full(Method):
    """Full fine-tuning. What it saves is a whole model, which is loaded without the student.

    It needs 16 bytes a parameter: weight, gradient and AdamW's two moments, all in float32.
    """

    merges: ClassVar[bool] = False
    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]] = "not at all"
    forbids: ClassVar = {"quantization": "weights in 4 bit cannot be trained"}

    method: Literal["full"]
    learning_rate: float = Field(default=1e-4, gt=0, lt=100)

    @property
    def size(self) -> str:
        """`all weights`."""
        return "all weights"

    def go_on_from(self, model: Any, folder: Path) -> None:
        """See `Method.go_on_from`."""
        from tuner.models.adapted import replace

        replace(model, folder)

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> None:
        """See `Method.peft_config`."""
