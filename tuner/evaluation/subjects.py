"""Loads adapters, or weights that were trained themselves, onto a student that stays in memory, and unloads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner.errors import StageError
from tuner.models.adapted import put_back, put_on, replace


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
        kept = replace(base, adapter)
        try:
            yield base
        finally:
            put_back(base, kept)
        return
    model = put_on(base, adapter)
    try:
        yield model
    finally:
        # A prompt-learning adapter only wraps the student; the others replace layers within it.
        if not model.active_peft_config.is_prompt_learning:
            model.base_model.unload()


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
