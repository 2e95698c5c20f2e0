"""How a flow run ends when a worker stops it: at once, with its children, and with nothing half-written."""

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
    """For the duration of a block, SIGTERM ends this process, its children and the flow runs it waits for.

    A thread that computes, or waits for a child that trains, cannot be interrupted in any other way. What is complete
    is kept, a training's checkpoint too.

    Args:
        run: Is recorded as interrupted, if there is one.
    """
    if threading.current_thread() is not threading.main_thread():  # it may set no handler
        yield
        return

    def stop(*_: object) -> None:
        interruption.end(STOPPED, partial(run.end, "interrupted") if run else None)

    # Prefect has put a handler of its own before the command line's, which waits for threads.
    former = signal.signal(signal.SIGTERM, interruption.handler() or stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
