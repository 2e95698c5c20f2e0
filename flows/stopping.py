"""Ends a flow run that its worker stops (SIGTERM): at once, with its children, without partial artifacts."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tuner import interruption
from tuner.runs import Run

STOPPED = 128 + signal.SIGTERM


@contextmanager
def stoppable(run: Run | None) -> Iterator[None]:
    """While the block runs, SIGTERM ends this process, its children and the flow runs that it waits for.

    A thread that computes, or waits for a training process, cannot be interrupted otherwise. Completed artifacts and
    training checkpoints are kept.

    Args:
        run: The run to record as interrupted, if any.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set a handler
        yield
        return

    def stop(*_: object) -> None:
        interruption.terminate(STOPPED, partial(run.end, "interrupted") if run else None)

    # Prefect has replaced the command line's handler by one that waits for threads.
    previous = signal.signal(signal.SIGTERM, interruption.handler() or stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
