"""How an artifact was made: everything that may differ between two runs of the same work."""

import os
import platform
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

PACKAGES = ("synthetic-instruction-tuner", "torch", "transformers", "peft", "trl", "pyarrow")


@contextmanager
def recording() -> Generator[dict[str, Any]]:
    """Yields a record that is filled when the block ends: start, end, seconds, host, processor, versions."""
    started, clock = datetime.now(UTC), time.perf_counter()
    record: dict[str, Any] = {}
    yield record
    record.update(
        started=started.isoformat(timespec="seconds"),
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - clock, 3),
        host=platform.node(),
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        python=platform.python_version(),
        versions={name: metadata.version(name) for name in PACKAGES},
    )
