"""The stage `curate`: gives every generated row a verdict, the reasons for it and its scores. Nothing is deleted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation import duplicates, rules
from tuner.curation.quality import Quality, assess
from tuner.curation.text import Pair
from tuner.errors import StageError
from tuner.progress import Event, emit
from tuner.recipe import Curation

_READ = ("row_id", "shard", "index", "instruction", "response", "instruction_finish", "response_finish")


@dataclass
class _Row:
    """What is known of one row while its verdict is being reached.

    Attributes:
        position: Shard, index and row_id: the order of drawing, whatever order the files are read in.
        reasons: Names of `rules.REASONS`, in their order; none means kept.
        quality: None if a text is missing.
        key: What its duplicates share; None if a text is missing: such rows have nothing that could be doubled.
    """

    position: tuple[int, int, str]
    reasons: list[str]
    quality: Quality | None
    key: bytes | None
    repetition_ratio: float | None
    instruction_words: int
    response_words: int
    duplicate_of: str | None = None

    @property
    def row_id(self) -> str:
        return self.position[2]

    @property
    def verdict(self) -> str:
        return "rejected" if self.reasons else "kept"


def curate(shards: list[Path], curation: Curation, folder: Path) -> dict[str, Any]:
    """Judges the rows of all shards and writes them to `rows.parquet`, in order, with what was found.

    Args:
        shards: The `rows.parquet` of every generation shard, at least one.
        curation: What a row has to be to be kept.
        folder: Where to write.

    Returns:
        `rows`, `kept`, `rejected`; `reasons` (rows by reason) and `funnel` (rows by first reason), both with every
        reason of `rules.REASONS` in that order, zeros included: that a rule never fires is worth knowing.

    Raises:
        StageError: If two rows have one row_id, or the counts do not add up.
    """
    tables = [parquet.read(path) for path in shards]
    total = sum(table.num_rows for table in tables)
    rows: list[_Row] = []
    for table in tables:
        columns = (table.column(name).to_pylist() for name in _READ)
        rows += [_examined(*values, curation=curation) for values in zip(*columns, strict=True)]
        emit(Event("curate", done=len(rows), total=total))
    if len({row.row_id for row in rows}) != total:
        raise StageError(f"curate: {total:,} rows came in, but some share a row_id; is a shard given twice?")
    _mark_duplicates(rows)
    _mark_below_target(rows, curation.target)
    parquet.write(_with_verdicts(pa.concat_tables(tables), rows), folder / "rows.parquet")
    return check(_metrics(rows))


def check(metrics: dict[str, Any]) -> dict[str, Any]:
    """Hands metrics through if every row that came in is accounted for exactly once.

    Raises:
        StageError: If not.
    """
    rows, kept, rejected = metrics["rows"], metrics["kept"], metrics["rejected"]
    fallen = sum(metrics["funnel"].values())
    if kept + rejected != rows or fallen != rejected:
        raise StageError(
            f"curate: the counts do not add up: {rows:,} rows, {kept:,} kept, {rejected:,} rejected, "
            f"{fallen:,} in the funnel"
        )
    return metrics


def _examined(
    row_id: str,
    shard: int,
    index: int,
    instruction: str,
    response: str,
    instruction_finish: str,
    response_finish: str,
    *,
    curation: Curation,
) -> _Row:
    pair = Pair(instruction, response)
    finding = rules.examine(pair, instruction_finish, response_finish, curation)
    quality = assess(pair, finding) if pair.is_whole else None
    reasons = list(finding.reasons)
    if quality is not None and quality.score < curation.min_quality:
        reasons.append("low_quality")
    return _Row(
        position=(shard, index, row_id),
        reasons=reasons,
        quality=quality,
        key=duplicates.key(pair) if pair.is_whole else None,
        repetition_ratio=finding.repetition_ratio,
        instruction_words=len(pair.instruction_words),
        response_words=len(pair.response_words),
    )


def _mark_duplicates(rows: Sequence[_Row]) -> None:
    doubled = duplicates.winners(
        duplicates.Candidate(row.row_id, row.key, not row.reasons, row.quality.score, row.position)
        for row in rows
        if row.key is not None and row.quality is not None
    )
    for row in rows:
        row.duplicate_of = doubled.get(row.row_id)
        if row.duplicate_of is not None:
            row.reasons.append("duplicate")


def _mark_below_target(rows: Sequence[_Row], target: int | None) -> None:
    survivors = [(row.quality.score, row) for row in rows if not row.reasons and row.quality is not None]
    # In integers, so that 1.2 has no rounding.
    if target is None or 5 * len(survivors) <= 6 * target:
        return
    survivors.sort(key=lambda scored: (-scored[0], scored[1].position))
    for _, row in survivors[target:]:
        row.reasons.append("below_target")


def _with_verdicts(table: pa.Table, rows: Sequence[_Row]) -> pa.Table:
    columns: dict[str, tuple[list[Any], pa.DataType]] = {
        "verdict": ([row.verdict for row in rows], pa.string()),
        "reasons": ([row.reasons for row in rows], pa.list_(pa.string())),
        "quality": ([row.quality and row.quality.score for row in rows], pa.float64()),
    }
    for part in fields(Quality):
        values = [row.quality and getattr(row.quality, part.name) for row in rows]
        columns[f"quality_{part.name}"] = (values, pa.float64())
    columns |= {
        "repetition_ratio": ([row.repetition_ratio for row in rows], pa.float64()),
        "instruction_words": ([row.instruction_words for row in rows], pa.int32()),
        "response_words": ([row.response_words for row in rows], pa.int32()),
        "duplicate_of": ([row.duplicate_of for row in rows], pa.string()),
    }
    for name, (values, kind) in columns.items():
        table = table.append_column(name, pa.array(values, kind))
    return table


def _metrics(rows: Sequence[_Row]) -> dict[str, Any]:
    reasons = Counter(reason for row in rows for reason in row.reasons)
    first = Counter(row.reasons[0] for row in rows if row.reasons)
    verdicts = Counter(row.verdict for row in rows)
    return {
        "rows": len(rows),
        "kept": verdicts["kept"],
        "rejected": verdicts["rejected"],
        "reasons": {name: reasons[name] for name, _ in rules.REASONS},
        "funnel": {name: first[name] for name, _ in rules.REASONS},
    }
