"""Assigns each training a GPU of its own, while there are enough."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tuner.settings import settings


def visible() -> list[str]:
    """The GPUs that this process may use, as named in CUDA_VISIBLE_DEVICES; empty on a CPU."""
    if (names := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in names.split(",") if name.strip()]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))


@contextmanager
def reserve() -> Iterator[str]:
    """Reserves a GPU that no other training on this machine uses, for the duration of a block.

    The operating system releases the lock when the process ends, even if it is killed.

    Yields:
        The GPU's name; the first one's if all are in use, since more trainings run than there are GPUs; empty on a
        CPU.
    """
    names = visible()
    for name in names:
        # Not a singleton: two threads of one process must not share a lock.
        lock = FileLock(settings().folder("locks") / f"gpu-{name.replace('/', '-')}", timeout=0, is_singleton=False)
        try:
            lock.acquire()
        except Timeout:
            continue
        try:
            yield name
        finally:
            lock.release()
        return
    yield names[0] if names else ""
