"""Prefect's own server, made fit for SQLite; `tuner up` starts it.

    python -m deployments.server --host 127.0.0.1 --port 4200

Its transactions are those of `deployments.sqlite`, and its garbage is collected beside its event loop: SQLAlchemy
leaves the cursor of a statement that failed to the garbage collector, and whoever frees a cursor waits for its
connection. That may be waiting itself, for up to a minute (Prefect's `busy_timeout`), for another one to commit. Freed
on the event loop, through which every commit goes, the cursor stops the whole server for that minute.
"""

import gc
import math
import sys
import threading
import time
from itertools import count

SETTLED_SECONDS = 60.0
"""After so long all that the server consists of is loaded. It is left out of later collections, each of which would
otherwise stop the server for the second that it takes to look through it."""


def prepare() -> None:
    """Makes this process fit to be the server; call it before the server is made."""
    from deployments.sqlite import begin_immediately  # Prefect's server with it: seconds, which importers may not want

    collect_beside()
    begin_immediately()


def collect_beside(seconds: float = 1.0) -> None:
    """Has the garbage of this process collected in a thread of its own from now on.

    Args:
        seconds: Between two collections of what is young; every sixtieth is of everything.
    """
    gc.disable()
    threading.Thread(target=_collect, args=(seconds,), name="garbage", daemon=True).start()


def _collect(seconds: float) -> None:
    settled = time.monotonic() + SETTLED_SECONDS
    for turn in count(1):
        time.sleep(seconds)
        gc.collect(2 if turn % 60 == 0 else 1)
        if time.monotonic() > settled:
            gc.freeze()
            settled = math.inf


if __name__ == "__main__":
    from prefect.cli import app

    prepare()
    sys.argv[1:1] = ["server", "start"]
    app()
