"""Assigns each training GPUs of its own, while there are enough."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tuner.errors import InputError
from tuner.settings import settings


def visible() -> list[str]:
    """The GPUs that this process may use, as named in CUDA_VISIBLE_DEVICES; empty on a CPU."""
    if (names := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in names.split(",") if name.strip()]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))


def environments(gpus: list[str], count: int) -> list[dict[str, str]]:
    """The environment of every process of a training: the GPUs that it sees, and its place among the others.

    Args:
        gpus: Their names; empty on a CPU.
        count: The processes.
    """
    shared = {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}
    if count == 1:
        return [shared]
    # They speak to each other on this machine alone.
    shared |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    shared |= {f"{library}_SOCKET_IFNAME": "lo" for library in ("GLOO", "NCCL")}
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


@contextmanager
def reserve(count: int = 1) -> Iterator[list[str]]:
    """Reserves GPUs that no other training on this machine uses, for the duration of a block.

    The operating system releases the locks when the process ends, even if it is killed.

    Args:
        count: How many.

    Yields:
        The GPUs' names; the first ones' if not enough are free, since more trainings run than there are GPUs; empty on
        a CPU.

    Raises:
        InputError: If there are fewer GPUs than that.
    """
    names = visible()
    if 0 < len(names) < count:
        raise InputError(f"TUNER_TRAIN_PROCESSES={count}: this machine has {len(names)} GPUs; lower it")
    with ExitStack() as held:
        free: list[str] = []
        for name in names:
            if len(free) == count:
                break
            # Not a singleton: two threads of one process must not share a lock.
            lock = FileLock(settings().folder("locks") / f"gpu-{name.replace('/', '-')}", timeout=0, is_singleton=False)
            try:
                held.enter_context(lock)
            except Timeout:
                continue
            free.append(name)
        if len(free) < count:
            held.close()
            free = names[:count]
        yield free
