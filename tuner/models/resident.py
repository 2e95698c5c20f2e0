"""A cache of one model per process, so that the next task need not load it again."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

Model = TypeVar("Model")

_changed = threading.Condition()
_resident: dict[object, tuple[object, Callable[[], None]]] = {}
_users = 0


@contextmanager
def using(key: object, load: Callable[[], Model], close: Callable[[Model], None]) -> Iterator[Model]:
    """The model of a key for the duration of a block, loaded if it is not in memory.

    Threads may use one model at the same time. Another is released first, after its last user.

    Args:
        key: Identifies the model and what it is loaded for.
        load: Loads it.
        close: Frees resources that garbage collection does not.
    """
    global _users
    with _changed:
        while _users and key not in _resident:
            _changed.wait()
        if key not in _resident:
            _release()
            loaded = load()
            _resident[key] = loaded, lambda: close(loaded)
        model = cast(Model, _resident[key][0])
        _users += 1
    try:
        yield model
    finally:
        with _changed:
            _users -= 1
            _changed.notify_all()


def release() -> None:
    """Frees the model and its memory, for another model or another process, after its last user."""
    with _changed:
        while _users:
            _changed.wait()
        _release()


def _release() -> None:
    if not _resident:
        return
    import torch

    for _, close in _resident.values():
        close()
    _resident.clear()
    gc.collect()
    # Memory in torch's caching allocator is not available to other processes, such as the training child.
    torch.cuda.empty_cache()
