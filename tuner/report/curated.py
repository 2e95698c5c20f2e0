"""The curated rows, read so that a million fit in memory: numbers of all rows, texts only of those shown."""

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
"""Numeric columns that are read for every row; the column of a check that is switched off is missing."""

_LABELS = tuple(score.labels for check in CHECKS.values() for score in check.scores if score.labels)
_FLAGS = ("verdict", "reasons", "marks", "cluster", "duplicate_of", *_LABELS)

# The columns that the page shows of a row.
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

# Rows in memory at once, about 1 kB each if texts are read.
_NUMBERS, _TEXTS = 65_536, 2_048
# Bytes of a column read at once: a row group may hold 100 MB of texts.
_BUFFER = 1 << 20


@dataclass(frozen=True)
class Curated:
    """What the report reads of all rows. A row's position is its number over all files.

    Attributes:
        files: The files of the rows.
        begins: The position of each file's first row, and the number of rows at the end, shape (files + 1,).
        kept: Which rows were kept, shape (rows,).
        beaten: Which rows are duplicates of another row that was preferred, shape (rows,).
        scores: By column of `SCORES`, if it exists; NaN where a row has no value, shape (rows,).
        reasons: The positions of the rows that each reason rejects, ascending, in the order of the checks; reasons
            without rows are left out.
        marks: The positions of the rows that each reason only marks.
        labels: For each label column of a score, the number of rows by label, most frequent first.
        members: The positions of the rows of the requested clusters, by the cluster's name.
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

    def with_reason(self, reason: str) -> Positions:
        """The positions of the rows with a reason, whether it rejects or only marks them; ascending."""
        none = np.zeros(0, np.int64)
        return np.union1d(self.reasons.get(reason, none), self.marks.get(reason, none))

    def rows(self, positions: Iterable[int]) -> dict[int, Row]:
        """Reads rows with their texts, by position; they lack the columns that their file lacks."""
        wanted = np.unique(np.fromiter(positions, np.int64))
        rows: dict[int, Row] = {}
        for path, begin, end in zip(self.files, self.begins[:-1], self.begins[1:], strict=True):
            in_file = wanted[(wanted >= begin) & (wanted < end)]
            if not in_file.size:
                continue
            columns = [name for name in parquet.read_schema(path).names if name in _SHOWN]
            for at, batch in _batches(path, columns, _TEXTS):
                first = begin + at
                in_batch = in_file[(in_file >= first) & (in_file < first + batch.num_rows)]
                selected = batch.take(pa.array(in_batch - first))
                rows.update(zip(in_batch.tolist(), selected.to_pylist(), strict=True))
        return rows

    def with_winners(self, positions: Iterable[int]) -> dict[int, Row]:
        """Reads rows, and for every duplicate the row preferred over it, the row preferred over that one, and so on."""
        rows = self.rows(positions)
        known = {row["row_id"] for row in rows.values()}
        while missing := {row["duplicate_of"] for row in rows.values() if row.get("duplicate_of")} - known:
            rows |= self.rows(self._positions_of(missing))
            known |= missing
        return rows

    def _positions_of(self, row_ids: Collection[str]) -> list[int]:
        positions: list[int] = []
        for path, begin in zip(self.files, self.begins[:-1].tolist(), strict=True):
            for at, batch in _batches(path, ["row_id"], _NUMBERS):
                matches = pl.DataFrame(batch)["row_id"].is_in(list(row_ids)).arg_true()
                positions += (matches + begin + at).to_list()
        return positions


def read(files: Sequence[Path], clusters: Collection[str] = ()) -> Curated:
    """Reads all rows without their texts.

    Args:
        files: The files of the curated rows, at least one.
        clusters: Names of the clusters whose members to read.
    """
    available = set.intersection(*(set(parquet.read_schema(path).names) for path in files))
    scores = [name for name in SCORES if name in available]
    columns = [*scores, *(name for name in _FLAGS if name in available)]
    begins = np.cumsum([0, *(parquet.read_metadata(path).num_rows for path in files)])
    rows = int(begins[-1])
    kept, beaten = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    numbers = {name: np.full(rows, np.nan) for name in scores}
    groups: dict[str, dict[str, list[Positions]]] = {name: {} for name in ("reasons", "marks", "cluster", *_LABELS)}
    for path, begin in zip(files, begins[:-1].tolist(), strict=True):
        for at, batch in _batches(path, columns, _NUMBERS):
            frame = pl.DataFrame(batch).with_row_index("position", offset=begin + at)
            span = slice(begin + at, begin + at + len(frame))
            kept[span] = (frame["verdict"] == "kept").fill_null(False)
            for name in scores:
                numbers[name][span] = frame[name].cast(pl.Float64).fill_null(np.nan)
            if "duplicate_of" in available:
                beaten[span] = frame["duplicate_of"].is_not_null()
            for name in ("reasons", "marks"):
                if name in available:
                    _group(groups[name], frame.select("position", name).explode(name))
            for name in _LABELS:
                if name in available:
                    _group(groups[name], frame.select("position", name))
            if "cluster" in available:
                _group(
                    groups["cluster"],
                    frame.filter(pl.col("cluster").is_in(list(clusters))).select("position", "cluster"),
                )
    return Curated(
        files=tuple(files),
        begins=begins.astype(np.int64),
        kept=kept,
        beaten=beaten,
        scores=numbers,
        reasons=_in_order(groups["reasons"]),
        marks=_in_order(groups["marks"]),
        labels={name: _counts(groups[name]) for name in _LABELS},
        members={name: np.concatenate(positions) for name, positions in groups["cluster"].items()},
    )


def _batches(path: Path, columns: list[str], size: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches of a file's rows, each with the number of rows before it."""
    at = 0
    with parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=size, columns=columns):
            yield at, batch
            at += batch.num_rows


def _group(positions: dict[str, list[Positions]], rows: pl.DataFrame) -> None:
    """Adds the positions of rows to those of their value in the second column; null values are skipped."""
    _, column = rows.columns
    for (value,), part in rows.drop_nulls().group_by(column):
        positions.setdefault(str(value), []).append(part["position"].to_numpy().astype(np.int64))


def _counts(groups: Mapping[str, list[Positions]]) -> dict[str, int]:
    counts = {name: sum(map(len, positions)) for name, positions in groups.items()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _in_order(groups: Mapping[str, list[Positions]]) -> dict[str, Positions]:
    """The groups in the order of the checks' reasons; unknown reasons come last."""
    names = [name for name in REASONS if name in groups] + sorted(name for name in groups if name not in REASONS)
    return {name: np.concatenate(groups[name]) for name in names}
