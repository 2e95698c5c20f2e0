"""Adapters on a student that is loaded once: put on for a while, and taken off without a trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def wearing(base: Any, adapter: Path) -> Iterator[Any]:
    """The student with an adapter; afterwards it is itself again.

    Args:
        base: The bare student.
        adapter: The folder of a saved adapter.
    """
    from peft import PeftModel

    worn: Any = PeftModel.from_pretrained(base, str(adapter))
    try:
        yield worn
    finally:
        # A prompt-learning adapter only wraps the student; the others replace layers within it.
        if not worn.active_peft_config.is_prompt_learning:
            worn.base_model.unload()


@contextmanager
def merged(base: Any, adapter: Path) -> Iterator[Any]:
    """The student with an adapter added into its weights, as it would be served.

    Taking it out again leaves rounding errors in a bfloat16 student: do this after everything that must be exact.
    """
    with wearing(base, adapter) as worn:
        worn.merge_adapter()
        try:
            yield worn
        finally:
            worn.unmerge_adapter()
