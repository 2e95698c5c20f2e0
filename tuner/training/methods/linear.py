"""The base class of the methods that adapt the student's linear layers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from tuner.errors import InputError
from tuner.training.methods.base import Method

if TYPE_CHECKING:
    from torch import nn

# Their weights are read by Mamba's fused kernels, past an adapter; PEFT refuses them in these models.
_NOT_IN_MAMBA = ("out_proj", "conv1d")
_MAMBA = ("mamba", "mamba2", "falcon_mamba", "falcon_h1", "nemotron_h")


class LinearMethod(Method):
    """A method that adapts linear layers.

    Attributes:
        targets: Names of the adapted projections, or `all-linear`: all but the language model's head.
    """

    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all-linear"

    def modules(self, model: "nn.Module") -> dict[str, Any]:
        """The arguments of a PEFT configuration that say which layers are adapted.

        Raises:
            InputError: If the student has no linear layer besides its head, or a target names none.
        """
        from torch import nn

        if self.targets != "all-linear":
            check_targets(self.targets, [name for name, _ in model.named_modules()])
            return {"target_modules": list(self.targets)}
        layers = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) or _is_conv(module)]
        layers = [name for name in layers if name.rsplit(".", 1)[-1] not in ("lm_head", "embed_out")]
        if not layers:
            raise InputError(f"the student has no linear layer that {self.name()} could adapt")
        if getattr(getattr(model, "config", None), "model_type", None) in _MAMBA:
            return {"target_modules": [name for name in layers if not name.endswith(_NOT_IN_MAMBA)]}
        return {"target_modules": "all-linear"}


def _is_conv(module: "nn.Module") -> bool:
    """Whether it is the linear layer of GPT-2, whose weight is transposed."""
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, Conv1D)


def check_targets(targets: Iterable[str], modules: Iterable[str]) -> None:
    """Rejects targets that match no module. PEFT itself raises an error only if none of them matches.

    Args:
        targets: Names of modules, from the recipe.
        modules: Dotted names of the student's modules.

    Raises:
        InputError: If a target matches no module, or is the language model's head.
    """
    full = {name for name in modules if name}
    last = {name.rsplit(".", 1)[-1] for name in full}
    for target in targets:
        if target == "lm_head":
            raise InputError("targets: lm_head cannot be adapted, since the loss multiplies by it directly")
        if target not in last and not any(name == target or name.endswith(f".{target}") for name in full):
            projections = sorted(name for name in last if name.endswith("proj") or name.startswith(("fc", "dense")))
            hint = f"; it has {', '.join(projections)}" if projections else ""
            raise InputError(f"targets: the student has no module called {target!r}{hint}")
