"""Runs a module as a child process that ends with its parent, even if the parent is killed: see `tuner.parent`.

    python -m deployments.child MODULE ARGUMENT...

runs it like `python -m MODULE ARGUMENT...`, until its standard input closes, whose other end only the parent has. Then
it gets SIGTERM, and is ended by force if it does not stop.
"""

import os
import runpy
import signal
import sys
import time

from tuner import parent

PATIENCE_SECONDS = 15.0
"""How long a child may take to end after SIGTERM."""

ORPHANED = 1


def as_child(python: str, module: str, *arguments: str) -> list[str]:
    """The command that runs a module as a child.

    Args:
        python: The interpreter.
        module: The module's name.
        arguments: The module's arguments.
    """
    return [python, "-m", "deployments.child", module, *arguments]


def _end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_SECONDS)
    os._exit(ORPHANED)


if __name__ == "__main__":
    parent.follow(_end)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
