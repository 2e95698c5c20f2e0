"""Assigns every row to a side: clusters stay together, rows of a former split keep their side.

A cluster is a connected component of near instructions. The first hash of the member with the smallest second hash
decides its side, so a cluster is on each side with the same probability as a single row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tuner.curation.columns.words import I64
from tuner.errors import StageError
from tuner.splitting.join import components
from tuner.splitting.neighbours import first_near
from tuner.splitting.rows import Former, Rows, read
from tuner.splitting.settings import Split
from tuner.splitting.shares import sides_of
from tuner.splitting.sides import LEFT_OUT, PURPOSES, TRAIN, TUNING, pairs

NEAR_OTHER_SIDE = "near_other_side"
"""Reason for leaving a row out: it is near a row that the former split has on another side."""

_NEW = -1
_Sides = NDArray[np.int8]


@dataclass(frozen=True)
class Placement:
    """The sides of the kept rows.

    Attributes:
        sides: `TRAIN`, `TUNING`, `VALIDATION` or `LEFT_OUT`, in the order of the files, shape (rows,).
        left_out: `row_id`, `reason` and `near`, the row_id of the former split that it is near to; in file order.
        former_rows: Rows that are in the former split too and keep their side.
        cluster_sizes: Rows of each cluster, single rows included, shape (clusters,).
        templates: The phrases of templates, which weigh nothing, see `templates.SCHEMA`.
    """

    sides: _Sides
    left_out: pa.Table
    former_rows: int
    cluster_sizes: I64
    templates: pa.Table

    def count(self, side: int) -> int:
        """Rows on a side."""
        return int((self.sides == side).sum())


def place(kept: Sequence[Path], former: Former | None, split: Split) -> Placement:
    """Assigns every kept row to a side.

    A row that is in the former split too (same row_id, same instruction) keeps its side. A new row goes to the side of
    its cluster; it is left out if it is near a row that the former split has on another side, whether or not that row
    is among the kept ones. Without a tuning side the tuning rows of the former split train: that is where their hashes
    then fall, and rows that something was chosen by are never held out for the verdict.

    Args:
        kept: Files with `row_id` and `prompt`.
        former: An earlier split whose rows keep their sides; None for none.
        split: The shares of the sides, and the similarity from which instructions are near.

    Raises:
        StageError: If the former split itself leaks: near rows on two sides, or a row on two.
    """
    rows = read(kept, former, split.ngram)
    kept_rows = int(rows.counts[: len(kept)].sum())
    clusters = components(rows.sets, split.similarity)[rows.set_index]
    by_cluster = _cluster_sides(clusters, rows, split)
    by_former = _former_sides(rows, kept_rows, former)
    if not split.tuning:
        by_former[by_former == TUNING] = TRAIN
    sides = np.where(by_former == _NEW, by_cluster, by_former).astype(np.int8)
    if former:
        _refuse_leaks(rows, clusters, by_former[:kept_rows], split)
    near = {}
    for side in split.sides if former else ():
        new = np.flatnonzero((by_former == _NEW) & (by_cluster == side))
        others = np.flatnonzero((by_former != _NEW) & (by_former != side))
        near |= _near(rows, clusters, new, others, split.similarity)
    left_out = np.array(sorted(near), np.int64)
    sides[left_out] = LEFT_OUT
    return Placement(
        sides=sides[:kept_rows],
        left_out=_left_out_table(rows.row_ids, left_out, np.array([near[row] for row in left_out], np.int64)),
        former_rows=int((by_former[:kept_rows] != _NEW).sum()),
        cluster_sizes=np.unique(clusters[:kept_rows], return_counts=True)[1],
        templates=rows.templates,
    )


def _cluster_sides(clusters: I64, rows: Rows, split: Split) -> _Sides:
    """The side of each row's cluster, shape (rows,)."""
    order = np.lexsort((rows.hashes[:, 1], clusters))
    begins = np.diff(clusters[order], prepend=-1) != 0
    by_cluster = sides_of(rows.hashes[order[begins], 0], split.validation, split.tuning or 0.0)
    sides = np.empty(clusters.size, np.int8)
    sides[order] = by_cluster[np.cumsum(begins) - 1]
    return sides


def _former_sides(rows: Rows, kept_rows: int, former: Former | None) -> _Sides:
    """The side of each row in the former split, or `_NEW`, shape (rows,)."""
    sides = np.full(len(rows.row_ids), _NEW, np.int8)
    if former is None:
        return sides
    sides[kept_rows:] = np.repeat([*former.sides], rows.counts[-len(former.sides) :])
    keys = {"row_id": rows.row_ids, "first": rows.hashes[:, 0], "second": rows.hashes[:, 1]}
    frame = pl.DataFrame(keys | {"side": sides}).with_row_index()
    in_former = frame[:kept_rows].drop("side").join(frame[kept_rows:].drop("index"), on=list(keys))
    several = in_former.unique(["index", "side"]).filter(pl.col("index").is_duplicated())["row_id"].unique().sort()
    if len(several):
        raise StageError(f"split: the former split holds {len(several):,} rows on several sides, such as {several[0]}")
    sides[in_former["index"].to_numpy()] = in_former["side"].to_numpy()
    return sides


def _refuse_leaks(rows: Rows, clusters: I64, by_former: _Sides, split: Split) -> None:
    """Raises if kept rows that keep their sides, shape (kept rows,), are near each other across the sides."""
    for side, other in pairs(split.sides):
        probes, others = (np.flatnonzero(by_former == each) for each in (side, other))
        if leaks := _near(rows, clusters, probes, others, split.similarity):
            row, near = min((rows.row_ids[row], rows.row_ids[near]) for row, near in leaks.items())
            raise StageError(
                f"split: in the former split {len(leaks):,} {PURPOSES[side]} rows are near {PURPOSES[other]} rows, "
                f"such as {row} and {near}, so keeping their sides would leak; split without it, or raise "
                "split.similarity to what it was made with"
            )


def _near(rows: Rows, clusters: I64, probes: I64, others: I64, similarity: float) -> dict[int, int]:
    """For each probe that is near one of the others: that row; of several, the first by row_id."""
    probes = probes[np.isin(clusters[probes], clusters[others])]
    others = others[np.isin(clusters[others], clusters[probes])]
    others = others[rows.row_ids.gather(others).arg_sort().to_numpy()]
    sets, first = np.unique(rows.set_index[others], return_index=True)
    order = np.argsort(first)
    sets, first = sets[order], first[order]
    probe_sets, position = np.unique(rows.set_index[probes], return_inverse=True)
    nearest = first_near(rows.sets, probe_sets, sets, similarity)[position]
    near = nearest >= 0
    return dict(zip(probes[near].tolist(), others[first[nearest[near]]].tolist(), strict=True))


def _left_out_table(row_ids: pl.Series, left_out: I64, near: I64) -> pa.Table:
    return pa.table(
        {
            "row_id": pa.array(row_ids.gather(left_out).to_list(), pa.string()),
            "reason": pa.array([NEAR_OTHER_SIDE] * left_out.size, pa.string()),
            "near": pa.array(row_ids.gather(near).to_list(), pa.string()),
        }
    )
