"""Loads adapters, or weights that were trained themselves, onto a student that stays in memory, and unloads them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner.errors import StageError


@contextmanager
def loaded_adapter(base: Any, adapter: Path) -> Iterator[Any]:
    """Loads an adapter onto the student; unloads it on exit, so that the student is unchanged.

    Args:
        base: The student without an adapter.
        adapter: The folder of a saved adapter, or of a student that was fully fine-tuned.

    Raises:
        StageError: If the adapter does not fit this student.
    """
    if not (adapter / "adapter_config.json").exists():
        with _replaced(base, adapter):
            yield base
        return
    model = _load(base, adapter)
    try:
        yield model
    finally:
        # A prompt-learning adapter only wraps the student; the others replace layers within it.
        if not model.active_peft_config.is_prompt_learning:
            model.base_model.unload()


def _load(base: Any, adapter: Path) -> Any:
    from peft import PeftModel
    from safetensors import SafetensorError
    from torch import OutOfMemoryError

    try:
        with warnings.catch_warnings():
            # PEFT only warns of missing weights, and leaves them at their random initialisation.
            warnings.filterwarnings("error", message="Found missing adapter keys")
            return PeftModel.from_pretrained(base, str(adapter))
    except OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, KeyError, SafetensorError, UserWarning) as error:
        reason = " ".join(str(error).split())[:200]
        raise StageError(f"the adapter in {adapter} does not fit this student: {reason}") from error


@contextmanager
def _replaced(base: Any, trained: Path) -> Iterator[None]:
    """Puts weights that were fully fine-tuned in place of the student's, which it keeps and puts back."""
    import torch
    from safetensors.torch import load_file

    weights = dict(base.named_parameters())
    kept: dict[str, torch.Tensor] = {}
    try:
        with torch.no_grad():
            for file in sorted(trained.glob("*.safetensors")):
                for name, weight in load_file(file).items():
                    if name not in weights or weights[name].shape != weight.shape:
                        raise StageError(f"the model in {trained} does not fit this student: {name} is another")
                    kept[name] = weights[name].detach().clone()
                    weights[name].copy_(weight)
        if missing := sorted(weights.keys() - kept.keys()):
            raise StageError(f"the model in {trained} does not fit this student: it lacks {missing[0]}")
        yield
    finally:
        with torch.no_grad():
            for name, weight in kept.items():
                weights[name].copy_(weight)


@contextmanager
def merged_adapter(base: Any, adapter: Path) -> Iterator[Any]:
    """Merges an adapter into the student's weights, as it would be served; unmerges it on exit.

    Unmerging leaves rounding errors in a bfloat16 student, so use this after all measurements that must be exact.

    Raises:
        StageError: If the adapter does not fit this student, or cannot be merged.
    """
    with loaded_adapter(base, adapter) as model:
        if model.active_peft_config.is_prompt_learning:
            raise StageError(
                f"the adapter in {adapter} cannot be merged: it is a prompt, not the method that the recipe names"
            )
        model.merge_adapter()
        try:
            yield model
        finally:
            model.unmerge_adapter()
