"""How a process that computes is ended from outside: at once, with its children, the run's record told."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import NoReturn

import psutil

from tuner import runs
from tuner.artifacts.store import Store
from tuner.runs import Run

INTERRUPTED = 130
TELL_SECONDS = 2.0
"""How long whoever has to know is told, all at the same time; a person waits."""

_HANDLED = 128  # added to a signal's number by our handler

_handler: Callable[..., None] | None = None
_told: list[Callable[[], None]] = []
_left: list[Callable[[], None]] = []


def handler() -> Callable[..., None] | None:
    """What `on_signals` has put in the place of this process's signal handlers, if it has."""
    return _handler


def on_end(tell: Callable[[], None]) -> None:
    """Has something called when this process is ended: whoever works for it elsewhere has to know."""
    _told.append(tell)


def on_leave(leave: Callable[[], None]) -> None:
    """Has something called before the last line is written: whoever draws on the terminal has to stop."""
    _left.append(leave)


def on_signals(store: Store, name: str) -> None:
    """Makes SIGINT and SIGTERM end this process: whatever is complete is kept, the rest is begun anew next time.

    A second signal ends it at once. A thread of its own listens: the main one may wait for a lock, and a library may
    have put a handler before ours that lets it go on waiting (polars does, with `SA_RESTART`).

    Args:
        store: Where the run lies.
        name: The run's, which is recorded as interrupted.
    """
    global _handler
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def stop() -> NoReturn:
        for leave in _left:
            leave()
        sys.stderr.write("tuner: interrupted; the same command goes on where this one stopped\n")
        sys.stderr.flush()
        end(INTERRUPTED, lambda: Run(store, runs.find(store, name)).end("interrupted"))

    def listen() -> None:
        heard: Counter[int] = Counter()
        while True:
            number = os.read(reading, 1)[0]
            if number % _HANDLED not in (signal.SIGINT, signal.SIGTERM):
                continue
            heard[number // _HANDLED] += 1  # each signal comes by both ways, if nothing is in the way of one
            if max(heard.values()) > 1:
                os._exit(INTERRUPTED)
            if heard.total() == 1:
                Thread(target=stop, name="stop", daemon=True).start()

    def hear(number: int, *_: object) -> None:
        os.write(writing, bytes([_HANDLED + number]))

    _handler = hear
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, hear)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    Thread(target=listen, name="signals", daemon=True).start()


def end(code: int, record: Callable[[], None] | None) -> NoReturn:
    """Ends this process and its children now, and tells who has to know.

    Args:
        code: The exit code.
        record: Records that the run was interrupted, if there is one.
    """
    try:
        # The training child and a temporary server would outlive a process that leaves like this.
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        # In threads: the one that a signal has stopped may hold what a call needs, and nobody is waited for long.
        telling = [Thread(target=tell, daemon=True) for tell in (record, *_told) if tell]
        for thread in telling:
            thread.start()
        latest = time.monotonic() + TELL_SECONDS
        for thread in telling:
            thread.join(max(0.0, latest - time.monotonic()))
    finally:
        # Threads that compute cannot be interrupted in any other way.
        os._exit(code)
