"""Progress as events: stages say how far they are, and whoever watches (a terminal, a Prefect task) listens."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One message about the work.

    Attributes:
        stage: The stage that speaks.
        label: The part of it, such as `shard 3` or `lora`; empty for the stage as a whole.
        state: `running`, `cached`, `done` or `failed`.
        done: Units finished (rows, steps), of `total`; 0 of 0 where it cannot be counted.
        total: Units in all.
        figures: What is measured meanwhile, such as `{"tokens/s": 81.0, "loss": 1.92}`.
    """

    stage: str
    label: str = ""
    state: str = "running"
    done: int = 0
    total: int = 0
    figures: dict[str, float] = field(default_factory=dict)


Listener = Callable[[Event], None]

_listeners: list[Listener] = []
_lock = threading.Lock()


def emit(event: Event) -> None:
    """Hands an event to everyone who listens in this process."""
    with _lock:
        listeners = list(_listeners)
    for listener in listeners:
        listener(event)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Subscribes a listener for the duration of a block. Events arrive on the threads that emit them."""
    with _lock:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(listener)
