"""The base class of the methods that learn a prompt before the frozen student's input."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tuner.errors import InputError
from tuner.training.methods.base import Method

if TYPE_CHECKING:
    from torch import nn

TEXT = "Answer the user's instruction helpfully, correctly and completely."
"""What a prompt begins as, where it begins as a text."""


class PromptMethod(Method):
    """A method that learns virtual tokens.

    Attributes:
        virtual_tokens: Their number.
    """

    merges: ClassVar[bool] = False
    is_prompt: ClassVar[bool] = True
    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]] = "not at all"
    forbids: ClassVar = {"packing": "PEFT drops the position ids of a learned prompt, so that examples would mix"}

    virtual_tokens: int = Field(default=20, ge=1, le=4096)

    @property
    def size(self) -> str:
        """Such as `20 tokens`."""
        return f"{self.virtual_tokens} tokens"

    def check_context(self, model: "nn.Module") -> None:
        """Raises an `InputError` if the student's context has no room for the prompt and a row."""
        context = getattr(getattr(model, "config", None), "max_position_embeddings", None)
        if isinstance(context, int) and self.virtual_tokens + 8 > context:
            raise InputError(
                f"virtual_tokens: {self.virtual_tokens:,} leave no room for a row in the student's context "
                f"of {context:,} tokens"
            )
