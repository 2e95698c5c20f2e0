"""Which GPU a training gets: one of its own while there are enough."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_taken: set[str] = set()
_lock = threading.Lock()


def visible() -> list[str]:
    """The GPUs this process may use, by the names that CUDA_VISIBLE_DEVICES takes; empty on a CPU."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in named.split(",") if name.strip()]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))


@contextmanager
def one() -> Iterator[str]:
    """Takes a GPU that no other training of this process has, for the duration of a block.

    Yields:
        Its name; the first one's if all are taken (`TUNER_WORKERS` was set higher than there are), empty on a CPU.
    """
    names = visible()
    with _lock:
        chosen = next((name for name in names if name not in _taken), names[0] if names else "")
        mine = chosen not in _taken
        _taken.add(chosen)
    try:
        yield chosen
    finally:
        if mine:
            with _lock:
                _taken.discard(chosen)
