"""Adapters on a student that is loaded once: put on for a while, and taken off without a trace."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner.errors import StageError


@contextmanager
def wearing(base: Any, adapter: Path) -> Iterator[Any]:
    """The student with an adapter; afterwards it is itself again.

    Args:
        base: The bare student.
        adapter: The folder of a saved adapter.

    Raises:
        StageError: If the adapter is not one of this student, or of this kind.
    """
    worn = _worn(base, adapter)
    try:
        yield worn
    finally:
        # A prompt-learning adapter only wraps the student; the others replace layers within it.
        if not worn.active_peft_config.is_prompt_learning:
            worn.base_model.unload()


def _worn(base: Any, adapter: Path) -> Any:
    from peft import PeftModel
    from safetensors import SafetensorError
    from torch import OutOfMemoryError

    try:
        with warnings.catch_warnings():
            # PEFT only warns of weights that are not there, and leaves them as they were drawn.
            warnings.filterwarnings("error", message="Found missing adapter keys")
            return PeftModel.from_pretrained(base, str(adapter))
    except OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, KeyError, SafetensorError, UserWarning) as error:
        reason = " ".join(str(error).split())[:200]
        raise StageError(f"the adapter in {adapter} is not one of this student: {reason}") from error


@contextmanager
def merged(base: Any, adapter: Path) -> Iterator[Any]:
    """The student with an adapter added into its weights, as it would be served.

    Taking it out again leaves rounding errors in a bfloat16 student: do this after everything that must be exact.
    """
    with wearing(base, adapter) as worn:
        if worn.active_peft_config.is_prompt_learning:
            raise StageError(f"the adapter in {adapter} cannot be merged: it is not the one that the recipe names")
        worn.merge_adapter()
        try:
            yield worn
        finally:
            worn.unmerge_adapter()
