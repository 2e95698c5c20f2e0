"""Ends a child process with its parent, however the parent ended: the pipe at the child's standard input closes.

The kernel's signal at the parent's death would not do. It is sent when the thread that started the child ends, and not
at all if a launcher runs between parent and child.
"""

import os
import select
import threading
from collections.abc import Callable


def follow(end: Callable[[], object]) -> None:
    """Calls a function in a thread when the parent of this process has ended.

    Args:
        end: The function, which ends this process.
    """
    parent = os.getppid()

    def watch() -> None:
        # Other children forked by the parent hold its end of the pipe too, and may outlive it.
        while os.getppid() == parent:
            ready, _, _ = select.select([0], [], [], 1.0)
            if ready and not os.read(0, 4096):
                break
        end()

    threading.Thread(target=watch, name="follow-parent", daemon=True).start()
