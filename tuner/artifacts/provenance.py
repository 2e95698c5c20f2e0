"""How an artifact was made: everything that may differ between two runs of the same work."""

import os
import platform
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from tuner.settings import settings

PACKAGES = (
    "synthetic-instruction-tuner",
    *("torch", "transformers", "tokenizers", "peft", "trl"),
    *("numpy", "numba", "polars", "pyarrow"),
)
"""Packages whose versions may change tokens, sampled rows, verdicts or the bytes of files."""

ANYWHERE, FROM_EQUAL, ALIKE, NOWHERE = "anywhere", "from equal inputs", "on machines alike", "nowhere"
"""Where an artifact of one name has the same bytes under equal versions of PACKAGES (PyArrow writes its own into every
Parquet file): everywhere; everywhere if those it is made from have them too; or only on machines with the same device,
number format, instructions of the processor, threads and batch size, since floating-point sums differ between others;
or nowhere, since an engine rounds differently whenever its batch has other rows, or has random numbers of its own.
Locale, time zone and hash seed change no byte of any. Recorded times, in manifests and a training's curve, differ.
"""

_DRAWING = ("generate", "candidates")
"""The stages that draw with an engine."""

_REPEATS = "transformers"
"""The engine that draws the same rows again."""


def of_model(stage: str) -> str:
    """Where an artifact of a stage that computes with a model has the same bytes."""
    return NOWHERE if stage in _DRAWING and settings().engine != _REPEATS else ALIKE


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
        dtype=settings().dtype,
        batch_size=settings().batch_size,
        **_arithmetic(),
        python=platform.python_version(),
        versions={name: metadata.version(name) for name in PACKAGES},
    )


def _arithmetic() -> dict[str, Any]:
    """What the sums of a model depend on; nothing where none was computed in this process."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    return {"threads": torch.get_num_threads(), "instructions": torch.backends.cpu.get_cpu_capability()}
