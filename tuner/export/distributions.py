"""Lengths, scores and languages of the kept rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
MEASURED = ("instruction_words", "response_words", "quality")


@dataclass(frozen=True)
class Distributions:
    """Distributions over the kept rows.

    Attributes:
        quantiles: The values at `QUANTILES` of each column of `MEASURED` that the rows have.
        sources: Rows by the name of their source.
        languages: Rows by detected language (ISO 639), most frequent first; empty if it was not detected.
    """

    quantiles: dict[str, list[float]]
    languages: dict[str, int]
    sources: dict[str, int] = field(default_factory=dict[str, int])


def measure(rows: Sequence[Path]) -> Distributions:
    """Measures the kept rows.

    Args:
        rows: The files of `rows` of `curate`, at least one.
    """
    frame = pl.scan_parquet(list(rows), glob=False)
    present = [name for name in (*MEASURED, "language", "source") if name in frame.collect_schema().names()]
    kept = frame.filter(pl.col("verdict") == "kept").select(present).collect()
    quantiles = {}
    for name in MEASURED:
        if name in present and kept[name].count():
            # The nearest existing value, so that numbers of words stay integers.
            quantiles[name] = [float(kept[name].quantile(q, "nearest") or 0.0) for q in QUANTILES]
    return Distributions(quantiles, _counts(kept, "language"), _counts(kept, "source"))


def _counts(kept: pl.DataFrame, column: str) -> dict[str, int]:
    """Rows by the values of a column, the most frequent first; empty if there is no such column."""
    if column not in kept.columns:
        return {}
    counts = kept[column].drop_nulls().value_counts().sort(["count", column], descending=[True, False])
    return dict(counts.iter_rows())
