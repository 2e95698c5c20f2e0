"""How long, how good and in which language the kept rows are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
MEASURED = ("instruction_words", "response_words", "quality")


@dataclass(frozen=True)
class Distributions:
    """Of the kept rows.

    Attributes:
        quantiles: Of each of `MEASURED` that the rows have, its values at `QUANTILES`.
        languages: Rows by detected language (ISO 639), most frequent first; empty if none was looked for.
    """

    quantiles: dict[str, list[float]]
    languages: dict[str, int]


def measure(rows: Sequence[Path]) -> Distributions:
    """Measures the kept rows.

    Args:
        rows: The files of `rows` of `curate`, at least one.
    """
    frame = pl.scan_parquet(list(rows), glob=False)
    there = [name for name in (*MEASURED, "language") if name in frame.collect_schema().names()]
    kept = frame.filter(pl.col("verdict") == "kept").select(there).collect()
    quantiles = {}
    for name in MEASURED:
        if name in there and kept[name].count():
            # The nearest value that is there, so that words stay whole numbers.
            quantiles[name] = [float(kept[name].quantile(q, "nearest") or 0.0) for q in QUANTILES]
    languages: dict[str, int] = {}
    if "language" in there:
        counts = kept["language"].drop_nulls().value_counts().sort(["count", "language"], descending=[True, False])
        languages = dict(counts.iter_rows())
    return Distributions(quantiles, languages)
