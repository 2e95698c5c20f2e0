"""Clusters of rows linked by pairs of duplicates, and the representative that each dropped row is a duplicate of."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tuner.curation.columns.words import I64, U64

F64 = NDArray[np.float64]


def components(rows: int, a: I64, b: I64) -> I64:
    """Labels the clusters of rows that are linked by pairs.

    The order of the pairs, and within a pair, does not matter; pairs may recur.

    Args:
        rows: How many rows there are.
        a: Positions, shape (pairs,).
        b: Positions of the rows they are linked to, shape (pairs,).

    Returns:
        The smallest position in each row's cluster, its own if it is alone; shape (rows,).
    """
    links = coo_array((np.ones(a.size, np.bool_), (a, b)), shape=(rows, rows))
    _, labels = connected_components(links, directed=False)
    _, first, cluster = np.unique(labels, return_index=True, return_inverse=True)
    return first[cluster]


def representatives_by_round(
    a: I64, b: I64, rounds: I64, quality: F64, keys: U64, row_ids: pl.Series, keep: int = 1
) -> I64:
    """Finds the representative of each row that is dropped as a duplicate, round after round.

    The rows of a round compete with each other and with those of earlier rounds, which rank first. Clusters only
    grow, so what an earlier round decided holds even if a new row is near to two old ones and joins their clusters.

    Args:
        a: Positions of near rows, shape (pairs,).
        b: Positions of the rows they are near to, shape (pairs,).
        rounds: The round of generation of each row, shape (rows,).
        quality: As for `representatives`, like the arguments below.
        keys: Shape (rows,).
        row_ids: Shape (rows,).
        keep: How many of each cluster stay, at least 1.

    Returns:
        The position of the representative of every dropped row, -1 for rows that stay, shape (rows,).
    """
    duplicate_of = np.full(rounds.size, -1, np.int64)
    for number in range(int(rounds.max(initial=0)) + 1):
        drawn = np.maximum(rounds[a], rounds[b]) <= number
        labels = components(rounds.size, a[drawn], b[drawn])
        new = rounds == number
        duplicate_of[new] = representatives(labels, rounds, quality, keys, row_ids, keep)[new]
    return duplicate_of


def representatives(labels: I64, rounds: I64, quality: F64, keys: U64, row_ids: pl.Series, keep: int = 1) -> I64:
    """Finds the representative of each row that is dropped as a duplicate.

    A cluster is ranked by the earlier round, then the better score, the smaller key and the smaller row_id, so the
    order of the rows does not matter. The first `keep` stay, and the first is the representative.

    Args:
        labels: The clusters, as made by `components`, shape (rows,). Rows that do not compete are alone.
        rounds: The round of generation of each row, shape (rows,).
        quality: The score, NaN ranking lowest, shape (rows,).
        keys: As made by `exact.keys`, shape (rows,).
        row_ids: Unique strings, shape (rows,).
        keep: How many of each cluster stay, at least 1.

    Returns:
        The position of the representative of every dropped row, -1 for rows that stay, shape (rows,).
    """
    duplicate_of = np.full(labels.size, -1, np.int64)
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
            representative=pl.col("position").first().over("cluster"),
            place=pl.int_range(pl.len()).over("cluster"),
        )
        .filter(pl.col("place") >= keep)
    )
    duplicate_of[ranked["position"].to_numpy()] = ranked["representative"].to_numpy()
    return duplicate_of
