"""Curation of a whole file, Parquet to Parquet, as `tuner curate` does it: seconds, and the most memory it holds.

It runs in a process of its own. Its resident memory and that of its children is sampled twenty times a second; time is
that of the process from start to end, imports included.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.curation import planted
from benchmarks.curation.figures import Figure
from tuner.owndata.metrics import CuratedFile

INTERVAL = 0.05
ROWS = 1_000_000
"""The goals in minutes and gigabytes are for so many."""
MINUTES, GIGABYTES = 5, 4
SLOWER, LARGER = 11, 2


@dataclass(frozen=True)
class Run:
    """What a run took.

    Attributes:
        rows: That came in.
        kept: Of them.
        seconds: Of the process.
        bytes: The most that was resident.
        steps: Seconds of each step, as curation itself measures them.
    """

    rows: int
    kept: int
    seconds: float
    bytes: int
    steps: dict[str, float]


def run(file: Path, to: Path) -> Run:
    """Curates a file with the recipe's defaults and a benchmark's prompts, all but semantic duplicates."""
    clock = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-m", "benchmarks.curation.scale", str(file), str(to)])
    most = 0
    while child.poll() is None:
        most = max(most, _resident(child.pid))
        time.sleep(INTERVAL)
    seconds = time.perf_counter() - clock
    if child.returncode:
        raise SystemExit(f"curation of {file} ended with {child.returncode}")
    metrics = CuratedFile.model_validate_json((to / "curation.json").read_text(encoding="utf-8"))
    return Run(metrics.rows, metrics.kept, seconds, most, metrics.seconds)


def measure(sentences: Sequence[str], rows: int, folder: Path) -> list[Figure]:
    """Runs a tenth of the rows and then all of them; the figures with what each step takes."""
    first, last = (_planted(sentences, size, folder / str(size)) for size in (rows // 10, rows))
    full = rows >= ROWS
    return [
        *_figures(first),
        *_figures(last, MINUTES * 60 if full else None, GIGABYTES if full else None),
        Figure(
            "  seconds, against a tenth of the rows", last.seconds / first.seconds, "x", most=SLOWER if full else None
        ),
        Figure("  memory, against a tenth of the rows", last.bytes / first.bytes, "x", most=LARGER if full else None),
    ]


def _figures(run: Run, seconds: float | None = None, gigabytes: float | None = None) -> list[Figure]:
    return [
        Figure(f"{run.rows:,} rows, Parquet to Parquet", run.seconds, "s", most=seconds, note=f"{run.kept:,} kept"),
        *(Figure(f"  {name}", took, "s") for name, took in run.steps.items() if name != "all"),
        Figure("  the most memory", run.bytes / 1e9, "GB", most=gigabytes),
    ]


def _planted(sentences: Sequence[str], rows: int, folder: Path) -> Run:
    planted.write(planted.Plan(sentences, rows), folder)
    return run(folder / "rows.parquet", folder / "curated")


def _resident(pid: int) -> int:
    """Bytes of a process and its children; pages that two of them share count twice."""
    try:
        process = psutil.Process(pid)
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
    except psutil.NoSuchProcess:  # it ended meanwhile
        return 0


def _curate(file: Path, to: Path) -> None:
    from tuner.curation.checks.decontamination import Decontamination
    from tuner.curation.settings import Curation
    from tuner.owndata import curate

    prompts = file.with_name("prompts.jsonl")
    curate.run(file, Curation(decontamination=Decontamination(against=(str(prompts),))), to)


if __name__ == "__main__":
    _curate(Path(sys.argv[1]), Path(sys.argv[2]))
