"""A module run as a child process that ends with its parent, even if that one was killed: see `tuner.parent`.

    python -m deployments.child MODULE ARGUMENT...

runs it as `python -m MODULE ARGUMENT...` would, until standard input is closed, of which only the parent has the other
end: then it is asked to end, and made to.
"""

import os
import runpy
import signal
import sys
import time

from tuner import parent

PATIENCE_SECONDS = 15.0
"""How long a child that is asked to end may take."""

ORPHANED = 1


def as_child(python: str, module: str, *arguments: str) -> list[str]:
    """The command that runs a module as a child.

    Args:
        python: The interpreter.
        module: Its name.
        arguments: Its arguments.
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
