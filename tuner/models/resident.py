"""A cache of one model per process, so that the next task need not load it again."""

import gc
import threading
from collections.abc import Callable
from typing import TypeVar, cast

Model = TypeVar("Model")

lock = threading.RLock()
"""Hold this while using the model: threads of one process take turns."""

_resident: dict[object, tuple[object, Callable[[], None]]] = {}


def get(key: object, load: Callable[[], Model], close: Callable[[Model], None] = lambda model: None) -> Model:
    """The model of a key, loaded if it is not in memory; any other model is released first.

    Args:
        key: Identifies the model and what it is loaded for.
        load: Loads it.
        close: Frees resources that garbage collection does not.
    """
    with lock:
        if key not in _resident:
            release()
            loaded = load()
            _resident[key] = loaded, lambda: close(loaded)
        return cast(Model, _resident[key][0])


def release() -> None:
    """Frees the model and its memory, for another model or another process."""
    with lock:
        if not _resident:
            return
        import torch

        for _, close in _resident.values():
            close()
        _resident.clear()
        gc.collect()
        # Memory in torch's caching allocator is not available to other processes, such as the training child.
        torch.cuda.empty_cache()
