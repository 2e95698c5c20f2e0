"""The training methods, each in one file. To add a method, write its file and add it to `METHODS`."""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from tuner.training.methods.base import Method
from tuner.training.methods.dora import Dora
from tuner.training.methods.full import Full
from tuner.training.methods.ia3 import Ia3
from tuner.training.methods.ln_tuning import LnTuning
from tuner.training.methods.loha import Loha
from tuner.training.methods.lokr import Lokr
from tuner.training.methods.lora import Lora
from tuner.training.methods.loraplus import LoraPlus
from tuner.training.methods.oft import Oft
from tuner.training.methods.p_tuning import PTuning
from tuner.training.methods.pissa import Pissa
from tuner.training.methods.prefix_tuning import PrefixTuning
from tuner.training.methods.prompt_tuning import PromptTuning
from tuner.training.methods.qlora import QLora
from tuner.training.methods.rslora import RsLora
from tuner.training.methods.vera import Vera

METHODS: dict[str, type[Method]] = {
    method.name(): method
    for method in (
        *(Lora, RsLora, Dora, Pissa, LoraPlus, QLora),
        *(Oft, Ia3, Vera, Loha, Lokr, LnTuning),
        *(PromptTuning, PTuning, PrefixTuning),
        Full,
    )
}
"""The methods by name."""

if TYPE_CHECKING:
    Adapter = Method
else:
    Adapter = Annotated[Union[tuple(METHODS.values())], Field(discriminator="method")]  # noqa: UP007
    """An adapter in a recipe: the settings of its method."""

__all__ = ["METHODS", "Adapter", "Method"]
