"""`python -m benchmarks.curation.real FOLDER`: what is kept of sets that people chose, and which bad rows are found.

For each set and profile: the share kept of the rows read, with exact and near duplicates apart, and the rows that every
reason took first. Of what is bad: loops, planted in every tenth response, and beside them the share of good responses
taken for loops; instructions that hold their solution (`solutions`) and copies, made of all sets; and texts that
the default model drew (`drawn`).
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.curation import drawn, solutions
from benchmarks.curation.figures import Figure, summary, table
from benchmarks.curation.quality import ALONE
from tuner.curation.columns.batch import Batch
from tuner.curation.detectors import gopher, repetition
from tuner.curation.metrics import Curated
from tuner.curation.profiles import DEFAULTS, MAGPIE, OWN_DATA
from tuner.curation.settings import Curation
from tuner.errors import InputError
from tuner.owndata import curate

GOALS = {"gsm": 0.99, "alpaca_en": 0.95, "kto_en": 0.93, "glaive": 0.93, "alpaca_zh": 0.95, "v1": 0.97}
"""By the name of a set's file without its ending, the share that `own-data` is to keep."""
DUPLICATES = ("duplicate", "near_duplicate")
EVERY = 10
TIMES = (5, 8, 12, 30)


def main() -> None:
    """Measures every file of the folder that can be read."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curation.real", description=__doc__)
    parser.add_argument("folder", type=Path)
    os.environ.setdefault("TQDM_DISABLE", "1")
    figures = measure(parser.parse_args().folder)
    print(table("How right on data that people have", figures))
    print(summary(figures))


def measure(folder: Path) -> list[Figure]:
    """The figures of all sets of a folder, and of what is bad."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".jsonl", ".parquet"))
    figures: list[Figure] = []
    pairs: list[tuple[str, str]] = []
    for file in files:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                figures += _of_set(file, Path(scratch))
            except InputError as error:
                figures.append(Figure(file.name, float("nan"), note=str(error)))
                continue
            pairs += _pairs(Path(scratch) / OWN_DATA)
    with tempfile.TemporaryDirectory() as scratch:
        figures += _of_solutions(pairs, Path(scratch))
    return [*figures, *drawn.measure()]


def _of_set(file: Path, scratch: Path) -> Iterator[Figure]:
    for profile in DEFAULTS:
        metrics = curate.run(file, Curation.model_validate({"profile": profile}), scratch / profile)
        took = ", ".join(f"{name} {count}" for name, count in metrics.funnel.items() if count)
        goal = GOALS.get(file.stem) if profile == OWN_DATA else None
        note = f"{metrics.kept:,} of {metrics.rows:,} read; {took or 'none taken'}"
        yield Figure(f"{file.name}, {profile}, kept", kept(metrics), least=goal, note=note)
    good = [answered for _, answered in _pairs(scratch / OWN_DATA)]
    looped = planted(good)
    yield Figure("  good responses taken for loops", float(loops(good).mean()))
    yield Figure("  loops found", float(loops(looped).mean()), note=f"{len(looped):,} planted")


def _of_solutions(pairs: list[tuple[str, str]], scratch: Path) -> Iterator[Figure]:
    rows = solutions.made(pairs[:: max(1, len(pairs) // (2 * solutions.ROWS))])
    rows.with_row_index("row_id").with_columns(pl.col("row_id").cast(pl.String).str.zfill(6)).write_ndjson(
        scratch / "solutions.jsonl"
    )
    copies = solutions.copies(rows)
    for profile in DEFAULTS:
        curate.run(scratch / "solutions.jsonl", Curation.model_validate({"profile": profile}), scratch / profile)
        reasons = _read(scratch / profile, ["row_id", "reasons"]).sort("row_id")["reasons"]
        own = reasons.filter(~copies).list.set_difference(list(DUPLICATES)).list.len() > 0
        yield Figure(f"instructions with their solution, {profile}, found", float(own.to_numpy().mean()), least=0.98)
    # Copies are told apart where nothing else takes a row: only rows that pass are compared.
    ignoring = Curation(profile=MAGPIE, ignore=ALONE)
    metrics = curate.run(scratch / "solutions.jsonl", ignoring, scratch / "copies")
    share = metrics.reasons.get("duplicate", 0) / int(copies.sum())
    yield Figure("copies among them found", share, least=1, note=f"{int(copies.sum()):,} planted")


def kept(metrics: Curated) -> float:
    """The share of the rows that is kept, duplicates apart."""
    return metrics.kept / max(metrics.rows - sum(metrics.funnel[name] for name in DUPLICATES), 1)


def loops(responses: list[str]) -> np.ndarray:
    """Which responses any reason of `repetition` takes, shape (responses,)."""
    nulls = pl.Series([None] * len(responses), dtype=pl.String)
    batch = Batch(pl.Series(["?"] * len(responses)), pl.Series(responses, dtype=pl.String), nulls, nulls)
    settings = Curation().repetition
    found = [each.check(batch, settings).reasons.values() for each in (repetition, gopher)]
    return np.logical_or.reduce([flags for reasons in found for flags in reasons])


def planted(responses: list[str]) -> list[str]:
    """Every tenth response of 10 words and more, going on with its first words or line again and again."""
    texts = [text for text in responses if len(text.split()) >= 10][::EVERY]
    looped = []
    for number, text in enumerate(texts):
        words = text.split()
        times = TIMES[number % len(TIMES)]
        kinds = (
            " ".join([" ".join(words[:10])] * times),
            " ".join([" ".join(words[:3])] * times),
            "\n".join(["- " + " ".join(words[:6])] * times),
            "\n".join(f"{count}. {' '.join(words[:6])}" for count in range(1, times + 1)),
            " ".join([words[0]] * 4 * times),
        )
        looped += [f"{text}\n{kind}" for kind in kinds]
    return looped


def _pairs(folder: Path) -> list[tuple[str, str]]:
    rows = _read(folder, ["instruction", "response"])
    return [row for row in rows.iter_rows() if all(row)]


def _read(folder: Path, columns: list[str]) -> pl.DataFrame:
    return pl.read_parquet(sorted((folder / "rows").glob("*.parquet")), columns=columns)


if __name__ == "__main__":
    main()
