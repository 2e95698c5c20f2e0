"""The curated rows, read so that a million fit: numbers and flags of all, texts only of those that are shown."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from tuner.curation.reasons import REASONS
from tuner.curation.settings import CHECKS

Positions = NDArray[np.int64]
Row = dict[str, Any]

SCORES = (*(score.column for check in CHECKS.values() for score in check.scores), "similarity")
"""Columns of numbers that are read of every row; a recipe that switches a check off leaves its column out."""

_LABELS = tuple(score.labels for check in CHECKS.values() for score in check.scores if score.labels)
_FACTS = ("verdict", "reasons", "marks", "cluster", "duplicate_of", *_LABELS)

# What is shown of a row; everything else that curation left stays in the file.
_SHOWN = (
    "row_id",
    "verdict",
    "reasons",
    "marks",
    "instruction",
    "response",
    *SCORES,
    *_LABELS,
    *(column for check in CHECKS.values() for column in check.columns),
    "sanitized_off",
    "duplicate_of",
)

# Rows in memory at once, about 1 kB each where texts are read.
_NUMBERS, _TEXTS = 65_536, 2_048
# Bytes of a column that are read at once: a row group may hold 100 MB of texts.
_BUFFER = 1 << 20


@dataclass(frozen=True)
class Curated:
    """What the report knows of all rows; a position counts over all files.

    Attributes:
        files: Where the rows lie.
        begins: The position of the first row of every file, and behind the last row, shape (files + 1,).
        kept: Which rows were kept, shape (rows,).
        beaten: Which rows name another one that beat them as a duplicate, shape (rows,).
        scores: By column of `SCORES`, as far as it is there; NaN where a row has none, shape (rows,).
        reasons: The rows that each reason rejects, rising; only reasons that reject any, in the order of the checks.
        marks: The rows that each reason marks only.
        labels: By column that a score names as its labels, how many rows have each label, most frequent first.
        members: The rows of the clusters that were asked for, by the name of the cluster.
    """

    files: tuple[Path, ...]
    begins: Positions
    kept: NDArray[np.bool_]
    beaten: NDArray[np.bool_]
    scores: dict[str, NDArray[np.float64]]
    reasons: dict[str, Positions]
    marks: dict[str, Positions]
    labels: dict[str, dict[str, int]]
    members: dict[str, Positions]

    def __len__(self) -> int:
        return int(self.begins[-1])

    def noted(self, reason: str) -> Positions:
        """The rows that have a reason, be it one that rejects or a mark; rising."""
        none = np.zeros(0, np.int64)
        return np.union1d(self.reasons.get(reason, none), self.marks.get(reason, none))

    def rows(self, positions: Iterable[int]) -> dict[int, Row]:
        """Reads rows with their texts, by position; what a file has no column for is missing in its rows."""
        wanted = np.unique(np.fromiter(positions, np.int64))
        found: dict[int, Row] = {}
        for path, begin, end in zip(self.files, self.begins[:-1], self.begins[1:], strict=True):
            here = wanted[(wanted >= begin) & (wanted < end)]
            if not here.size:
                continue
            columns = [name for name in parquet.read_schema(path).names if name in _SHOWN]
            for at, batch in _batches(path, columns, _TEXTS):
                chosen = here[(here >= begin + at) & (here < begin + at + batch.num_rows)]
                taken = batch.take(pa.array(chosen - begin - at))
                found.update(zip(chosen.tolist(), taken.to_pylist(), strict=True))
        return found

    def with_winners(self, positions: Iterable[int]) -> dict[int, Row]:
        """Reads rows, and with every row the one that beat it, and the one that beat that one, and so on."""
        found = self.rows(positions)
        known = {row["row_id"] for row in found.values()}
        while missing := {row["duplicate_of"] for row in found.values() if row.get("duplicate_of")} - known:
            found |= self.rows(self._positions_of(missing))
            known |= missing
        return found

    def _positions_of(self, row_ids: Collection[str]) -> list[int]:
        found: list[int] = []
        for path, begin in zip(self.files, self.begins[:-1].tolist(), strict=True):
            for at, batch in _batches(path, ["row_id"], _NUMBERS):
                here = pl.DataFrame(batch)["row_id"].is_in(list(row_ids)).arg_true()
                found += (here + begin + at).to_list()
        return found


def read(files: Sequence[Path], clusters: Collection[str] = ()) -> Curated:
    """Reads what is known of all rows: no texts.

    Args:
        files: The curated rows, at least one file.
        clusters: Names of clusters whose members are wanted.
    """
    there = set.intersection(*(set(parquet.read_schema(path).names) for path in files))
    scores = [name for name in SCORES if name in there]
    columns = [*scores, *(name for name in _FACTS if name in there)]
    begins = np.cumsum([0, *(parquet.read_metadata(path).num_rows for path in files)])
    rows = int(begins[-1])
    kept, beaten = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    numbers = {name: np.full(rows, np.nan) for name in scores}
    found: dict[str, dict[str, list[Positions]]] = {name: {} for name in ("reasons", "marks", "cluster", *_LABELS)}
    for path, begin in zip(files, begins[:-1].tolist(), strict=True):
        for at, batch in _batches(path, columns, _NUMBERS):
            frame = pl.DataFrame(batch).with_row_index("position", offset=begin + at)
            here = slice(begin + at, begin + at + len(frame))
            kept[here] = (frame["verdict"] == "kept").fill_null(False)
            for name in scores:
                numbers[name][here] = frame[name].cast(pl.Float64).fill_null(np.nan)
            if "duplicate_of" in there:
                beaten[here] = frame["duplicate_of"].is_not_null()
            for name in ("reasons", "marks"):
                if name in there:
                    _sort_in(found[name], frame.select("position", name).explode(name))
            for name in _LABELS:
                if name in there:
                    _sort_in(found[name], frame.select("position", name))
            if "cluster" in there:
                _sort_in(
                    found["cluster"],
                    frame.filter(pl.col("cluster").is_in(list(clusters))).select("position", "cluster"),
                )
    return Curated(
        files=tuple(files),
        begins=begins.astype(np.int64),
        kept=kept,
        beaten=beaten,
        scores=numbers,
        reasons=_in_order(found["reasons"]),
        marks=_in_order(found["marks"]),
        labels={name: _counted(found[name]) for name in _LABELS},
        members={name: np.concatenate(positions) for name, positions in found["cluster"].items()},
    )


def _batches(path: Path, columns: list[str], size: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Parts of a file, each with the number of rows before it."""
    at = 0
    with parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=size, columns=columns):
            yield at, batch
            at += batch.num_rows


def _sort_in(found: dict[str, list[Positions]], named: pl.DataFrame) -> None:
    """Adds every position to those that are known of its name; two columns, and what has no name goes nowhere."""
    _, name = named.columns
    for (value,), part in named.drop_nulls().group_by(name):
        found.setdefault(str(value), []).append(part["position"].to_numpy().astype(np.int64))


def _counted(found: Mapping[str, list[Positions]]) -> dict[str, int]:
    counts = {name: sum(map(len, positions)) for name, positions in found.items()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _in_order(found: Mapping[str, list[Positions]]) -> dict[str, Positions]:
    """By reason in the order of the checks; what is no reason that we know comes last."""
    names = [name for name in REASONS if name in found] + sorted(name for name in found if name not in REASONS)
    return {name: np.concatenate(found[name]) for name in names}
