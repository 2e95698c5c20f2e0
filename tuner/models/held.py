"""The model that this process keeps in memory between two tasks, so that the next one need not load it again."""

import gc
import threading
from collections.abc import Callable
from typing import TypeVar, cast

Model = TypeVar("Model")

lock = threading.RLock()
"""To be held while the model is used: threads of one process take turns at it."""

_held: dict[object, object] = {}


def hold(key: object, load: Callable[[], Model]) -> Model:
    """The model of a key, loaded if another one or none is in memory, of which there is at most one.

    Args:
        key: Names the model and what it was loaded for.
        load: Loads it.
    """
    with lock:
        if key not in _held:
            release()
            _held[key] = load()
        return cast(Model, _held[key])


def release() -> None:
    """Frees the model, so that another process or another model has the memory."""
    with lock:
        if not _held:
            return
        import torch

        _held.clear()
        gc.collect()
        # What torch keeps for its next tensors another process, such as the training child, cannot have.
        torch.cuda.empty_cache()
