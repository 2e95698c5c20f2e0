"""How a process that computes is ended from outside: at once, with its children, the run's record told."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import NoReturn

import psutil

from tuner import runs
from tuner.artifacts.store import Store
from tuner.runs import Run

INTERRUPTED = 130
TELL_SECONDS = 10.0

_stop: Callable[..., NoReturn] | None = None
_told: list[Callable[[], None]] = []


def handler() -> Callable[..., NoReturn] | None:
    """What `on_signals` has made of the signals of this process, if it has taken them."""
    return _stop


def on_end(tell: Callable[[], None]) -> None:
    """Has something called when this process is ended: whoever works for it elsewhere has to know."""
    _told.append(tell)


def on_signals(store: Store, name: str) -> None:
    """Makes SIGINT and SIGTERM end this process: whatever is complete is kept, the rest is begun anew next time.

    Args:
        store: Where the run lies.
        name: The run's, which is recorded as interrupted.
    """
    global _stop

    def stop(*_: object) -> NoReturn:
        run = Run(store, runs.find(store, name))
        sys.stderr.write("tuner: interrupted; the same command goes on where this one stopped\n")
        sys.stderr.flush()
        end(INTERRUPTED, run)

    _stop = stop
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, stop)


def end(code: int, run: Run | None) -> NoReturn:
    """Ends this process and its children now, and tells who has to know.

    Args:
        code: The exit code.
        run: Is recorded as interrupted, if there is one.
    """
    # The training child and a temporary server would outlive a process that leaves like this.
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    try:
        if run:
            run.end("interrupted")
        # In threads: the one that a signal has stopped may hold what a call needs, and nobody is waited for long.
        telling = [Thread(target=tell, daemon=True) for tell in _told]
        for thread in telling:
            thread.start()
        for thread in telling:
            thread.join(TELL_SECONDS)
    finally:
        # Threads that compute cannot be interrupted in any other way.
        os._exit(code)
