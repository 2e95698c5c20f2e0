"""A child process ends with its parent, however that one ended: the pipe that is the child's standard input closes.

A signal of the kernel would not do. It is sent when the thread that started the child ends, and to nobody if the child
was started through a program that stands in for the interpreter.
"""

import os
import select
import threading
from collections.abc import Callable


def follow(end: Callable[[], object]) -> None:
    """Has something called in a thread of its own when the parent of this process is gone.

    Args:
        end: Ends this process.
    """
    parent = os.getppid()

    def watch() -> None:
        # What the parent has forked off holds its end of the pipe, too, and may outlive it.
        while os.getppid() == parent:
            ready, _, _ = select.select([0], [], [], 1.0)
            if ready and not os.read(0, 4096):
                break
        end()

    threading.Thread(target=watch, name="follow-parent", daemon=True).start()
