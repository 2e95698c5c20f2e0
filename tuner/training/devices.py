"""Which GPU a training gets: one of its own while there are enough."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tuner.settings import settings


def visible() -> list[str]:
    """The GPUs this process may use, by the names that CUDA_VISIBLE_DEVICES takes; empty on a CPU."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in named.split(",") if name.strip()]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))


@contextmanager
def one() -> Iterator[str]:
    """Takes a GPU that no other training on this machine has, for the duration of a block.

    Its lock is the operating system's, so it is free again however the process that held it ended.

    Yields:
        Its name; the first one's if all are taken (more trainings run at once than there are GPUs), empty on a CPU.
    """
    names = visible()
    for name in names:
        # Not a singleton: two threads of one process must not share what either has taken.
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
