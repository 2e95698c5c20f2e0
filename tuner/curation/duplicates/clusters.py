"""Clusters: rows that are linked by pairs of duplicates, which of them stay, and which one beat each that does not."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tuner.curation.columns.words import I64, U64

F64 = NDArray[np.float64]


def components(rows: int, a: I64, b: I64) -> I64:
    """Numbers the clusters that pairs link rows to.

    Neither the order of the pairs nor that within a pair matters; pairs may recur.

    Args:
        rows: How many rows there are.
        a: Positions, shape (pairs,).
        b: What each is linked to, shape (pairs,).

    Returns:
        For every row the smallest position in its cluster, its own if it is alone; shape (rows,).
    """
    links = coo_array((np.ones(a.size, np.bool_), (a, b)), shape=(rows, rows))
    _, labels = connected_components(links, directed=False)
    _, first, cluster = np.unique(labels, return_index=True, return_inverse=True)
    return first[cluster]


def settle(a: I64, b: I64, rounds: I64, quality: F64, keys: U64, row_ids: pl.Series, keep: int = 1) -> I64:
    """Names the row that beat each row that does not stay, round after round.

    The rows of a round compete with each other and with those of earlier rounds, which come first: the first `keep` of
    a cluster stood when their own round was decided, since clusters only grow. So what an earlier round decided holds
    whatever comes, even where a new row is near to two old ones and makes one cluster of theirs.

    Args:
        a: Positions of near rows that compete, shape (pairs,).
        b: What each is near to, shape (pairs,).
        rounds: Which round of generation drew a row, shape (rows,).
        quality: As of `winners`, like all that follow.
        keys: Shape (rows,).
        row_ids: Shape (rows,).
        keep: How many of each cluster stay, at least 1.

    Returns:
        The position of the winner for every loser, -1 for rows that stay, shape (rows,).
    """
    beaten_by = np.full(rounds.size, -1, np.int64)
    for number in range(int(rounds.max(initial=0)) + 1):
        there = np.maximum(rounds[a], rounds[b]) <= number
        labels = components(rounds.size, a[there], b[there])
        new = rounds == number
        beaten_by[new] = winners(labels, rounds, quality, keys, row_ids, keep)[new]
    return beaten_by


def winners(labels: I64, rounds: I64, quality: F64, keys: U64, row_ids: pl.Series, keep: int = 1) -> I64:
    """Names the row that beat each row that does not stay.

    Within a cluster the earlier round comes first, then the better score, then the smaller key, then the smaller
    row_id: what a row is decides, not where it stands. The first `keep` stay, and the first of all is the one that beat
    the others.

    Args:
        labels: The clusters, as `components` numbers them, shape (rows,). Rows that do not compete stand alone.
        rounds: Which round of generation drew a row, shape (rows,).
        quality: The score, NaN counts as the lowest, shape (rows,).
        keys: Of the exact-duplicate form, shape (rows,).
        row_ids: Strings, no two the same, shape (rows,).
        keep: How many of each cluster stay, at least 1.

    Returns:
        The position of the winner for every loser, -1 for rows that stay, shape (rows,).
    """
    beaten_by = np.full(labels.size, -1, np.int64)
    members = np.flatnonzero(np.bincount(labels, minlength=labels.size)[labels] > 1)
    score = quality[members]
    ranked = (
        pl.DataFrame(
            {
                "position": members,
                "cluster": labels[members],
                "round": rounds[members],
                "quality": np.where(np.isnan(score), -np.inf, score),
                "key": keys[members],
                "row_id": row_ids.gather(members),
            }
        )
        .sort("cluster", "round", "quality", "key", "row_id", descending=[False, False, True, False, False])
        .select(
            "position",
            winner=pl.col("position").first().over("cluster"),
            place=pl.int_range(pl.len()).over("cluster"),
        )
        .filter(pl.col("place") >= keep)
    )
    beaten_by[ranked["position"].to_numpy()] = ranked["winner"].to_numpy()
    return beaten_by
