"""A small dataset with its truth: rows that are alike by nature are taken out, so that it is the whole truth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.curation import planted, truth

APART = 0.3
"""Rows of two groups whose instructions, or whose texts as one, reach this similarity are alike by nature."""


@dataclass(frozen=True)
class Sample:
    """Rows, and what is true of them.

    Attributes:
        file: The rows to curate, Parquet.
        rows: Their texts and `planted.TRUTH`, in the order of the file.
        alike: Rows that were removed, since another group had a similar one.
    """

    file: Path
    rows: pl.DataFrame
    alike: int


def make(plan: planted.Plan, folder: Path) -> Sample:
    """Writes a dataset and removes what is alike by nature."""
    planted.write(plan, folder)
    rows = pl.read_parquet(folder / "rows.parquet").join(
        pl.read_parquet(folder / "truth.parquet"), on="row_id", maintain_order="left"
    )
    distinct = rows.with_row_index("place").filter(pl.col("role") != "exact")
    pairs = pl.concat([truth.similar(distinct, APART), truth.alike(distinct, APART)])
    groups = distinct["group"]
    strange = pairs.filter(groups.gather(pairs["a"]) != groups.gather(pairs["b"]))
    left = rows.filter(~pl.col("group").is_in(groups.gather(strange["b"]).unique().to_list()))
    left.select(planted.ROWS.names).write_parquet(folder / "rows.parquet")
    return Sample(folder / "rows.parquet", left, len(rows) - len(left))


def without_copies(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows without exact duplicates, with their `place` in the file: what near duplicates are looked for in."""
    return rows.with_row_index("place").filter(pl.col("role") != "exact")


def of_one_group(rows: pl.DataFrame) -> truth.Pairs:
    """All pairs of rows that come from one base row, as positions, shape (pairs, 2)."""
    grouped = rows.select("group").with_row_index("row").filter(pl.len().over("group") > 1)
    pairs = grouped.join(grouped, on="group").filter(pl.col("row") < pl.col("row_right"))
    return pairs.select("row", "row_right").to_numpy().astype(np.int64)
