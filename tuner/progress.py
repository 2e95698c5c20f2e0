"""Progress events: stages emit them, and listeners (a terminal, a Prefect task) show them."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One progress event.

    Attributes:
        stage: The stage.
        label: The artifact or subject, such as `shard 3` or `lora`; empty for the stage as a whole.
        state: `running`, `cached`, `done` or `failed`.
        done: Units (rows, steps) finished; 0, as `total`, where they cannot be counted.
        total: Units in all.
        figures: Current measurements, such as `{"tokens/s": 81.0, "loss": 1.92}`.
        note: A message to show on its own line, such as `resumes from step 4 of 40`.
        unit: What a unit is called before its number, such as `step`. Of named units the first and last are printed.
    """

    stage: str
    label: str = ""
    state: str = "running"
    done: int = 0
    total: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    note: str = ""
    unit: str = ""

    @property
    def share(self) -> float:
        """The fraction done, 0 to 1."""
        return self.done / self.total if self.total else 0.0


class Pace:
    """Estimates the time left from the pace since the first call; an estimate never rises."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._left = math.inf

    def left(self, share: float) -> float | None:
        """The seconds left; if the work slows down, the last estimate stays.

        Args:
            share: The fraction done, 0 to 1.

        Returns:
            The seconds, or None while there is too little data.
        """
        now = time.monotonic()
        began, first = self._first = self._first or (now, share)
        if share > first and now - began >= 2:
            self._left = min(self._left, (now - began) * (1 - share) / (share - first))
        return None if self._left == math.inf else self._left


def clock(seconds: float) -> str:
    """Minutes and seconds, such as `2:05`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def measured(figures: dict[str, float]) -> list[str]:
    """Figures as texts, such as `loss 1.92` and `81 tokens/s`."""
    return [f"{name} {value:.3g}" if name == "loss" else f"{value:.0f} {name}" for name, value in figures.items()]


class Lines:
    """Progress as lines for a log or a pipe: one every ten seconds, and for the first and last of named units."""

    EVERY_SECONDS = 10.0

    def __init__(self) -> None:
        self._paces: dict[tuple[str, str], Pace] = {}
        self._last_line: dict[tuple[str, str], float] = {}

    def of(self, event: Event) -> str | None:
        """The line to print for an event, such as `step 12 of 40, loss 1.92, 81 tokens/s, 0:42 left`, if due."""
        key = event.stage, event.label
        pace = self._paces.setdefault(key, Pace())
        left = pace.left(event.share)
        if event.note:
            return event.note
        if event.state != "running" or not event.total:
            return None
        now = time.monotonic()
        first, last = key not in self._last_line, event.done == event.total
        due = now - self._last_line.setdefault(key, now) >= self.EVERY_SECONDS
        if not (due or (event.unit and (first or last))):
            return None
        self._last_line[key] = now
        count = f"{event.unit} {event.done:,} of {event.total:,}".lstrip()
        rest = [] if left is None or last else [f"{clock(left)} left"]
        return ", ".join([count, *measured(event.figures), *rest])


Listener = Callable[[Event], None]

_listeners: list[Listener] = []
_lock = threading.Lock()


def emit(event: Event) -> None:
    """Passes an event to all listeners of this process."""
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
