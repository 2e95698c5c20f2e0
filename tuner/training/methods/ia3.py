"""IA3: learned factors of keys, values and the hidden activations of feed-forward layers."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tuner.errors import InputError
from tuner.training.methods.base import Method

if TYPE_CHECKING:
    from peft import IA3Config
    from torch import nn

_PAPERS = ("k_proj", "v_proj", "down_proj")


class Ia3(Method):
    """IA3 (Liu et al. 2022, arXiv 2205.05638)."""

    merges: ClassVar[bool] = True
    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]] = "not at all"

    method: Literal["ia3"]
    learning_rate: float = Field(default=1e-2, gt=0, lt=100)

    @property
    def size(self) -> str:
        """`factors`."""
        return "factors"

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "IA3Config":
        """See `Method.peft_config`."""
        from peft import IA3Config
        from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING

        # The layers that the paper names, where the student has them by these names; else those that PEFT knows for
        # the architecture, which for some are others.
        names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
        known = names.issuperset(_PAPERS)
        architecture = getattr(getattr(model, "config", None), "model_type", None)
        if not known and architecture not in TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING:
            raise InputError(
                f"the student has no {', '.join(_PAPERS)}, and PEFT names no layers of {architecture} for ia3"
            )
        return IA3Config(
            task_type="CAUSAL_LM",
            target_modules=[*_PAPERS] if known else None,
            feedforward_modules=[_PAPERS[-1]] if known else None,
        )
