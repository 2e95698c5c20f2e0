"""`make bench-curation`: plants, curates and measures; prints every figure beside its goal and beside other tools'."""

import argparse
import os
import shutil
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.curation import chats, drawn, others, planted, quality, real, sample, scale, speed, truth
from benchmarks.curation.figures import Figure, summary, table

SCRATCH = Path("build/bench-curation")
QUALITY_ROWS = 30_000
SPEED_ROWS = 100_000
GOPHER_ROWS, OTHERS_ROWS = 4_000, 15_000
"""As many rows as others need seconds for, not minutes."""


def main() -> None:
    """Measures everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curation", description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=scale.ROWS, help="rows of the largest run; the goals are for 1,000,000"
    )
    parser.add_argument("--sets", type=Path, help="a folder of data sets that people chose, to measure what is kept")
    os.environ.setdefault("TQDM_DISABLE", "1")  # bars that libraries draw while they load a model
    given = parser.parse_args()
    rows = max(1_000, given.rows)
    clock = time.perf_counter()
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    shutil.rmtree(SCRATCH, ignore_errors=True)
    sentences = chats.sentences()
    found = [
        *_shown("How right: precision and recall against planted truth", _quality(sentences, rows)),
        *_shown("How right: real rows and drawn ones", real.measure(given.sets) if given.sets else drawn.measure()),
        *_shown("How fast: two threads over shards", _speed(sentences, rows)),
        *_shown("How far: one file as `tuner curate` takes it", scale.measure(sentences, rows, SCRATCH / "scale")),
    ]
    shutil.rmtree(SCRATCH)
    print(summary(found))
    print(f"measured in {(time.perf_counter() - clock) / 60:.1f} minutes; load average after: {os.getloadavg()[0]:.1f}")


def _shown(heading: str, figures: list[Figure]) -> list[Figure]:
    print(table(heading, figures), flush=True)
    return figures


def _quality(sentences: list[str], rows: int) -> list[Figure]:
    return quality.measure(sentences, min(rows, QUALITY_ROWS), SCRATCH / "quality")


def _speed(sentences: list[str], rows: int) -> list[Figure]:
    folder = SCRATCH / "speed"
    planted.write(planted.Plan(sentences, min(rows, SPEED_ROWS)), folder)
    file = folder / "rows.parquet"
    (first, gopher), (near, *laps) = speed.measure(file, rows), speed.near_duplicates(file, rows, folder / "near")
    checks = speed.breakdown(file, rows, folder / "prompts.jsonl")
    return [first, gopher, *_others_gopher(file), near, *laps, *_others_minhash(sentences, rows), *checks]


def _others_gopher(file: Path) -> list[Figure]:
    name = "  datatrove's filter, two processes"
    if not others.installed("datatrove"):
        return [_missing(name)]
    return [Figure(name, others.gopher(pl.read_parquet(file, n_rows=GOPHER_ROWS)), "rows/s")]


def _others_minhash(sentences: list[str], rows: int) -> list[Figure]:
    """Speed of other MinHashes, and how right they are about planted edits of 5 % of the words."""
    taken = sample.make(planted.Plan(sentences, min(rows, OTHERS_ROWS)), SCRATCH / "others")
    distinct = sample.without_copies(taken.rows)
    edited, _ = quality.planted_edits(distinct)
    partners = sample.of_one_group(distinct)
    figures = []
    for package, name, work in (
        ("datatrove", "datatrove's MinHash", lambda: others.datatrove_minhash(taken.file, SCRATCH / "datatrove")),
        ("datasketch", "datasketch's", lambda: others.datasketch_minhash(taken.rows, speed.NEAR.similarity)),
    ):
        if not others.installed(package):
            figures.append(_missing(f"  {name}"))
            continue
        speed_, labels = work()
        precision, recall = truth.scores(labels[distinct["place"].to_numpy()], edited, partners)
        note = f"on edits of 5 %: precision {precision:.3f}, recall {recall:.3f}"
        figures.append(Figure(f"  {name}", speed_, "rows/s", note=note))
    return figures


def _missing(name: str) -> Figure:
    return Figure(name, np.nan, note="not installed: make bench-curation installs it")


if __name__ == "__main__":
    main()
