"""Immediate termination of a computing process on a signal, with its children, after updating the run's record."""

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
NOTIFY_SECONDS = 2.0
"""The time limit for the callbacks of a termination, which run in parallel while the user waits."""

_HANDLED = 128  # our handler adds this to the signal's number

_handler: Callable[..., None] | None = None
_termination_callbacks: list[Callable[[], None]] = []
_display_callbacks: list[Callable[[], None]] = []


def handler() -> Callable[..., None] | None:
    """The signal handler that `handle_signals` has installed in this process, if any."""
    return _handler


def on_termination(callback: Callable[[], None]) -> None:
    """Registers a callback for the termination of this process, such as to cancel its work elsewhere."""
    _termination_callbacks.append(callback)


def before_last_line(callback: Callable[[], None]) -> None:
    """Registers a callback that stops a display on the terminal before the last line is written."""
    _display_callbacks.append(callback)


def handle_signals(store: Store, name: str) -> None:
    """Makes SIGINT and SIGTERM terminate this process; completed artifacts are kept.

    A second signal terminates it without callbacks. A separate thread reads the signals: the main thread may be waiting
    for a lock, and a library may have installed a handler that lets it go on waiting (polars does, with `SA_RESTART`).

    Args:
        store: The store of the run.
        name: The name of the run, which is recorded as interrupted.
    """
    global _handler
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def stop() -> NoReturn:
        for callback in _display_callbacks:
            callback()
        sys.stderr.write("tuner: interrupted; run the same command again to continue\n")
        sys.stderr.flush()
        terminate(INTERRUPTED, lambda: Run(store, runs.find(store, name)).end("interrupted"))

    def listen() -> None:
        received: Counter[int] = Counter()
        while True:
            number = os.read(reading, 1)[0]
            if number % _HANDLED not in (signal.SIGINT, signal.SIGTERM):
                continue
            # A signal arrives twice, from our handler and from Python's wakeup, unless a library has replaced one.
            received[number // _HANDLED] += 1
            if max(received.values()) > 1:
                os._exit(INTERRUPTED)
            if received.total() == 1:
                Thread(target=stop, name="stop", daemon=True).start()

    def handle(number: int, *_: object) -> None:
        os.write(writing, bytes([_HANDLED + number]))

    _handler = handle
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, handle)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    Thread(target=listen, name="signals", daemon=True).start()


def terminate(code: int, record: Callable[[], None] | None) -> NoReturn:
    """Kills the children of this process, runs the callbacks of `on_termination` and exits.

    Args:
        code: The exit code.
        record: Records that the run was interrupted, if there is a run.
    """
    try:
        # The training child and a temporary server would outlive `os._exit`.
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        # In threads with a time limit: the interrupted thread may hold a lock that a callback needs.
        threads = [Thread(target=call, daemon=True) for call in (record, *_termination_callbacks) if call]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + NOTIFY_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    finally:
        # There is no other way to stop threads that compute.
        os._exit(code)
