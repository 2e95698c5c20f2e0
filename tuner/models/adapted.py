"""A model with an adapter on it."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import StageError
from tuner.models import loading

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Adapter:
    """A saved adapter.

    Attributes:
        folder: Its folder.
        quantization: How the model's weights were loaded that it was trained on; see `loading.load_model`.
    """

    folder: Path
    quantization: str | None = None


def load(model: str, adapter: Adapter, dtype: "torch.dtype") -> Any:
    """A model whose weights an adapter or its full fine-tuning has changed, to be drawn with as any other.

    The adapter is merged into the weights, or works inside the layers where these are quantized.

    Args:
        model: The model, as written in a recipe.
        adapter: The adapter.
        dtype: The type that it computes in.

    Raises:
        InputError: If the model cannot be loaded.
        StageError: If the adapter does not fit the model, or is a prompt.
    """
    if not (adapter.folder / "adapter_config.json").exists():
        base = loading.load_model(model, dtype)
        replace(base, adapter.folder)
        return base
    both = put_on(loading.load_model(model, dtype, adapter.quantization), adapter.folder)
    if both.active_peft_config.is_prompt_learning:
        raise StageError(f"the adapter in {adapter.folder} is a prompt, and changes no weights to draw with")
    return both.get_base_model() if adapter.quantization else both.merge_and_unload()


def put_on(base: Any, folder: Path) -> Any:
    """Loads an adapter onto a model.

    Args:
        base: The model without an adapter.
        folder: The folder of a saved adapter.

    Raises:
        StageError: If the adapter does not fit this model.
    """
    from peft import PeftModel
    from safetensors import SafetensorError
    from torch import OutOfMemoryError

    try:
        with warnings.catch_warnings():
            # PEFT only warns of missing weights, and leaves them at their random initialisation.
            warnings.filterwarnings("error", message="Found missing adapter keys")
            return PeftModel.from_pretrained(base, str(folder))
    except OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, KeyError, SafetensorError, UserWarning) as error:
        reason = " ".join(str(error).split())[:200]
        raise StageError(f"the adapter in {folder} does not fit this student: {reason}") from error


def replace(base: Any, folder: Path) -> "dict[str, torch.Tensor]":
    """Puts weights that were fully fine-tuned in place of a model's.

    Args:
        base: The model, changed in place.
        folder: The folder of a saved model of the same architecture.

    Returns:
        The model's own weights, by name.

    Raises:
        StageError: If the weights do not fit this model, which then is unchanged.
    """
    import torch
    from safetensors.torch import load_file

    weights = dict(base.named_parameters())
    trained = {
        name: weight for file in sorted(folder.glob("*.safetensors")) for name, weight in load_file(file).items()
    }
    for name in sorted(weights.keys() | trained.keys()):
        if name not in weights or name not in trained or weights[name].shape != trained[name].shape:
            raise StageError(f"the model in {folder} does not fit this student: {name} differs")
    kept = {name: weight.detach().clone() for name, weight in weights.items()}
    with torch.no_grad():
        for name, weight in trained.items():
            weights[name].copy_(weight)
    return kept


def put_back(base: Any, kept: "dict[str, torch.Tensor]") -> None:
    """Puts back what `replace` returned."""
    import torch

    weights = dict(base.named_parameters())
    with torch.no_grad():
        for name, weight in kept.items():
            weights[name].copy_(weight)
