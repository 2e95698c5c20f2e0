"""The side of every row: whole clusters together, rows of a former split where they were.

A cluster is what hangs together by near instructions. The member whose second draw is smallest decides by its first,
so a cluster falls on a side with the same probability as a row of its own.
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
from tuner.splitting.sides import LEFT_OUT, TRAIN, VALIDATION, held_out

NEAR_OTHER_SIDE = "near_other_side"
"""Why a row is left out: it is near to a row of the former split on the side it does not fall on."""

_NEW = -1
_Sides = NDArray[np.int8]


@dataclass(frozen=True)
class Placement:
    """Where the kept rows go.

    Attributes:
        sides: `TRAIN`, `VALIDATION` or `LEFT_OUT`, in the order of the files, shape (rows,).
        left_out: `row_id`, `reason`, and `near`, the row_id in the former split for which it is left out; in order.
        former_rows: Rows that came again and keep their side.
        cluster_sizes: Rows of each cluster, those of one row included, shape (clusters,).
    """

    sides: _Sides
    left_out: pa.Table
    former_rows: int
    cluster_sizes: I64

    def count(self, side: int) -> int:
        """Rows on a side."""
        return int((self.sides == side).sum())


def place(kept: Sequence[Path], former: Former | None, split: Split) -> Placement:
    """Decides the side of every kept row.

    A row of the former split that comes again (the same row_id, the same instruction) keeps its side. A new row falls
    where its cluster falls; if it is near to a row of the former split on the other side, it is left out. Rows of the
    former split that do not come again count as such neighbours too.

    Args:
        kept: Files with `row_id` and `prompt`.
        former: An earlier split, if there is one.
        split: The share to hold out, and what near is.

    Raises:
        StageError: If the former split holds rows near to each other on both sides, so that keeping sides would leak.
    """
    rows = read([*kept, *((former.train, former.validation) if former else ())], split.ngram)
    number = int(rows.counts[: len(kept)].sum())
    clusters = components(rows.sets, split.similarity)[rows.of]
    fallen = _fallen(clusters, rows, split.validation)
    old = _old(rows, number, former)
    sides = np.where(old == _NEW, fallen, old).astype(np.int8)
    if former:
        _refuse_leaks(rows, clusters, old, number, split.similarity)
    near = {}
    for side in (TRAIN, VALIDATION) if former else ():
        new = np.flatnonzero((old == _NEW) & (fallen == side))
        near |= _near(rows, clusters, new, np.flatnonzero(old == 1 - side), split.similarity)
    left_out = np.array(sorted(near), np.int64)
    sides[left_out] = LEFT_OUT
    return Placement(
        sides=sides[:number],
        left_out=_named(rows.row_ids, left_out, np.array([near[row] for row in left_out], np.int64)),
        former_rows=int((old[:number] != _NEW).sum()),
        cluster_sizes=np.unique(clusters[:number], return_counts=True)[1],
    )


def _fallen(clusters: I64, rows: Rows, validation: float) -> _Sides:
    """Where the cluster of each row falls, shape (rows,)."""
    order = np.lexsort((rows.draws[:, 1], clusters))
    begins = np.diff(clusters[order], prepend=-1) != 0
    of_cluster = held_out(rows.draws[order[begins], 0], validation)
    fallen = np.empty(clusters.size, np.int8)
    fallen[order] = np.where(of_cluster[np.cumsum(begins) - 1], VALIDATION, TRAIN)
    return fallen


def _old(rows: Rows, number: int, former: Former | None) -> _Sides:
    """The side of each row in the former split, or `_NEW`, shape (rows,)."""
    old = np.full(len(rows.row_ids), _NEW, np.int8)
    if former is None:
        return old
    old[number:] = np.repeat([TRAIN, VALIDATION], rows.counts[-2:])
    keys = {"row_id": rows.row_ids, "first": rows.draws[:, 0], "second": rows.draws[:, 1]}
    frame = pl.DataFrame(keys | {"side": old}).with_row_index()
    again = frame[:number].drop("side").join(frame[number:].drop("index"), on=list(keys))
    both = again.unique(["index", "side"]).filter(pl.col("index").is_duplicated())["row_id"].unique().sort()
    if len(both):
        raise StageError(f"split: the former split holds {len(both):,} rows on both sides, such as {both[0]}")
    old[again["index"].to_numpy()] = again["side"].to_numpy()
    return old


def _refuse_leaks(rows: Rows, clusters: I64, old: _Sides, number: int, similarity: float) -> None:
    again = [np.flatnonzero(old[:number] == side) for side in (TRAIN, VALIDATION)]
    leaks = _near(rows, clusters, again[VALIDATION], again[TRAIN], similarity)
    if leaks:
        held, trained = min((rows.row_ids[row], rows.row_ids[other]) for row, other in leaks.items())
        raise StageError(
            f"split: in the former split {len(leaks):,} validation rows are near to training rows, such as {held} to "
            f"{trained}: keeping their sides would leak; split without it, or raise split.similarity to what it was "
            "made with"
        )


def _near(rows: Rows, clusters: I64, probes: I64, others: I64, similarity: float) -> dict[int, int]:
    """Of the rows that are near to one of the others: that one; of several, the first by row_id."""
    probes = probes[np.isin(clusters[probes], clusters[others])]
    others = others[np.isin(clusters[others], clusters[probes])]
    others = others[rows.row_ids.gather(others).arg_sort().to_numpy()]
    sets, first = np.unique(rows.of[others], return_index=True)
    order = np.argsort(first)
    sets, first = sets[order], first[order]
    probed, position = np.unique(rows.of[probes], return_inverse=True)
    found = first_near(rows.sets, probed, sets, similarity)[position]
    near = found >= 0
    return dict(zip(probes[near].tolist(), others[first[found[near]]].tolist(), strict=True))


def _named(row_ids: pl.Series, left_out: I64, near: I64) -> pa.Table:
    return pa.table(
        {
            "row_id": pa.array(row_ids.gather(left_out).to_list(), pa.string()),
            "reason": pa.array([NEAR_OTHER_SIDE] * left_out.size, pa.string()),
            "near": pa.array(row_ids.gather(near).to_list(), pa.string()),
        }
    )
