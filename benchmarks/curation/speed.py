"""How many rows a second: every check alone, the rules together, and near duplicates end to end.

Two threads take shards side by side, as the flow's task runner does. A first round, which is not counted, compiles;
of those that follow the median counts. Texts are in memory, except where a figure says `Parquet`.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import parquet

from benchmarks.curation.figures import Figure
from tuner.curation.checks.decontamination import Decontamination
from tuner.curation.checks.duplicates import Duplicates, Near
from tuner.curation.columns.batch import Batch
from tuner.curation.detectors import (
    decontamination,
    form,
    gopher,
    language,
    personal_data,
    quality,
    repetition,
    toxicity,
)
from tuner.curation.duplicates import clusters, exact, matching, signatures
from tuner.curation.settings import Curation

THREADS = 2
SHARD_ROWS = 10_000
ROUNDS = 3
CURATION = Curation()
NEAR = Near(on=("both",))
"""As other tools compare rows: as one text."""


@dataclass(frozen=True)
class Texts:
    """The texts of a shard."""

    instruction: pl.Series
    response: pl.Series

    def batch(self) -> Batch:
        """A batch of which nothing is computed yet."""
        finish = pl.Series(["stop"] * len(self.instruction))
        return Batch(self.instruction, self.response, finish, finish)


def read(file: Path, rows: int) -> list[Texts]:
    """The first rows of a file, in shards."""
    frame = pl.read_parquet(file, columns=["instruction", "response"], n_rows=rows)
    return [Texts(shard["instruction"], shard["response"]) for shard in frame.iter_slices(SHARD_ROWS)]


def rules(batch: Batch) -> None:
    """The checks of the project's first run: form, repetition and the quality score."""
    shape, repeated = form.check(batch, CURATION.form), repetition.check(batch, CURATION.repetition)
    quality.check(batch, CURATION.quality, {**shape.reasons, **repeated.reasons})


def gophers(batch: Batch) -> None:
    """Gopher's rules of repetition."""
    gopher.check(batch, CURATION.repetition)


def measure(file: Path, rows: int) -> list[Figure]:
    """Rows a second of the two sets of rules, from texts to findings."""
    shards = read(file, rows)
    known = sum(len(shard.instruction) for shard in shards)
    return [
        Figure(
            "the first run's rules, the language known",
            known / seconds(rules, shards, _told),
            "rows/s",
            least=40_000,
            note="(its code: 1,945)",
        ),
        Figure("Gopher's rules", known / seconds(gophers, shards), "rows/s", least=8_000),
    ]


def breakdown(file: Path, rows: int, prompts: Path) -> list[Figure]:
    """Microseconds a row of each check on two threads; what several checks need is computed before and stands first."""
    shards = read(file, rows)
    known = sum(len(shard.instruction) for shard in shards)
    benchmarks = decontamination.load(Decontamination(against=(str(prompts),)))
    wanted = CURATION.language
    assert wanted is not None
    checks: dict[str, Callable[[Batch], object]] = {
        "form": lambda batch: form.check(batch, CURATION.form),
        "repetition": lambda batch: repetition.check(batch, CURATION.repetition),
        "Gopher's rules": gophers,
        "language": lambda batch: language.check(batch, wanted),
        "toxicity": toxicity.check,
        "personal data": personal_data.check,
        "decontamination": lambda batch: decontamination.check(batch, benchmarks),
        "quality": lambda batch: quality.check(batch, CURATION.quality, _nothing(batch)),
        "key of exact duplicates": lambda batch: exact.keys(batch.normal_instruction, batch.normal_response),
        "signatures of near duplicates": lambda batch: signatures.columns(
            batch.instruction_words, batch.response_words, CURATION.duplicates.near or Near()
        ),
    }
    figures = [Figure("normalising, words, language", seconds(_prepared, shards) / known * 1e6, "us/row")]
    for name, check in checks.items():
        figures.append(Figure(name, seconds(check, shards, _prepared) / known * 1e6, "us/row"))
    return [*figures, Figure("together", sum(figure.value for figure in figures), "us/row")]


def seconds(
    work: Callable[[Batch], object], shards: Sequence[Texts], prepare: Callable[[Batch], Batch] = lambda batch: batch
) -> float:
    """Seconds that work on all shards takes with two threads, the median of three rounds; preparing is not counted."""
    work(prepare(shards[0].batch()))
    found = []
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(ROUNDS):
            batches = [prepare(shard.batch()) for shard in shards]
            clock = time.perf_counter()
            list(pool.map(work, batches))
            found.append(time.perf_counter() - clock)
    return statistics.median(found)


def near_duplicates(file: Path, rows: int, folder: Path) -> list[Figure]:
    """MinHash on word 5-grams from Parquet to clusters, and what each step takes; a run on one shard compiles."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = pl.read_parquet(file, columns=["instruction", "response"], n_rows=rows)
    shards = []
    for number, shard in enumerate(frame.iter_slices(SHARD_ROWS)):
        shards.append(folder / f"{number:05}.parquet")
        shard.write_parquet(shards[-1])
    _clustered(shards[:1], folder)
    laps = _clustered(shards, folder)
    whole = sum(laps.values())
    figure = Figure("MinHash on word 5-grams, Parquet to clusters", len(frame) / whole, "rows/s", least=30_000)
    return [figure, *(Figure(f"    {name}", took / len(frame) * 1e6, "us/row") for name, took in laps.items())]


def _clustered(shards: Sequence[Path], folder: Path) -> dict[str, float]:
    """Seconds of each step on the way to the cluster of every row."""
    clock = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        paths = list(pool.map(lambda shard: _signed(shard, folder / f"{shard.stem}.signatures"), shards))
        signed = time.perf_counter()
        # Two partitions, so that both threads have one.
        reading = _reader(shards)
        wanted = Duplicates(near=NEAR)
        jobs = [pool.submit(matching.match, paths, reading, wanted, part, THREADS) for part in range(THREADS)]
        edges = pa.concat_tables([job.result().edges for job in jobs])
    matched = time.perf_counter()
    rows = signatures.rows(paths)
    duplicate_of = exact.representatives(
        rows.keys,
        rows.passes,
        rows.quality,
        pl.Series(np.arange(rows.keys.size)).cast(pl.String),
        comparable=rows.passes,
        rounds=np.zeros(rows.keys.size, np.int64),
    )
    dropped = np.flatnonzero(duplicate_of >= 0)
    a = np.concatenate([edges["a"].to_numpy(), dropped])
    b = np.concatenate([edges["b"].to_numpy(), duplicate_of[dropped]])
    clusters.components(rows.keys.size, a, b)
    return {"signatures": signed - clock, "matching": matched - signed, "clusters": time.perf_counter() - matched}


def _signed(shard: Path, into: Path) -> Path:
    frame = pl.read_parquet(shard)
    batch = Texts(frame["instruction"], frame["response"]).batch()
    table = pl.DataFrame(
        {
            "key": exact.keys(batch.normal_instruction, batch.normal_response),
            "passes": np.ones(len(batch), np.bool_),
            "quality": np.zeros(len(batch)),
            **signatures.columns(batch.instruction_words, batch.response_words, NEAR),
        }
    )
    parquet.write_table(table.to_arrow(compat_level=pl.CompatLevel.oldest()), into)
    return into


def _reader(shards: Sequence[Path]) -> Callable[[int, np.ndarray], pl.DataFrame]:
    return lambda shard, rows: pl.read_parquet(shards[shard])[pl.Series(rows)]


def _prepared(batch: Batch) -> Batch:
    """Computes what several checks need."""
    assert len(batch.instruction_words.counts) == len(batch.response_words.counts)
    return _told(batch)


def _told(batch: Batch) -> Batch:
    """Detects the language, which several checks ask for."""
    language.is_english(batch)
    return batch


def _nothing(batch: Batch) -> dict[str, np.ndarray]:
    names = ("instruction_pattern", "response_pattern", "refusal", "repeated_word", "repeated_phrase")
    return {name: np.zeros(len(batch), np.bool_) for name in names}
