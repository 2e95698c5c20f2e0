"""The training methods, each in one file. To add a method, write its file and add it to `METHODS`."""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from tuner.training.methods.base import Method
from tuner.training.methods.lora import Lora
from tuner.training.methods.prompt_tuning import PromptTuning

METHODS: dict[str, type[Method]] = {method.name(): method for method in (Lora, PromptTuning)}
"""The methods by name."""

if TYPE_CHECKING:
    Adapter = Method
else:
    Adapter = Annotated[Union[tuple(METHODS.values())], Field(discriminator="method")]  # noqa: UP007
    """An adapter in a recipe: the settings of its method."""

__all__ = ["METHODS", "Adapter", "Method"]
