"""The model that this process keeps in memory between two tasks, so that the next one need not load it again."""

import gc
import threading
from collections.abc import Callable
from typing import TypeVar, cast

Model = TypeVar("Model")

lock = threading.RLock()
"""To be held while the model is used: threads of one process take turns at it."""

_held: dict[object, tuple[object, Callable[[], None]]] = {}


def hold(key: object, load: Callable[[], Model], close: Callable[[Model], None] = lambda model: None) -> Model:
    """The model of a key, loaded if another one or none is in memory, of which there is at most one.

    Args:
        key: Names the model and what it was loaded for.
        load: Loads it.
        close: Frees what garbage collection does not.
    """
    with lock:
        if key not in _held:
            release()
            loaded = load()
            _held[key] = loaded, lambda: close(loaded)
        return cast(Model, _held[key][0])


def release() -> None:
    """Frees the model, so that another process or another model has the memory."""
    with lock:
        if not _held:
            return
        import torch

        for _, close in _held.values():
            close()
        _held.clear()
        gc.collect()
        # What torch keeps for its next tensors another process, such as the training child, cannot have.
        torch.cuda.empty_cache()
