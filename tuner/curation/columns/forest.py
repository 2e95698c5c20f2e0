"""Which items hang together, kept up to date by compiled code while pairs are found: a union-find.

A loop that compares pairs leaves out those that hang together already, so it takes one step for each item of a
cluster, not for each pair of them, and holds no more links than items. Where all pairs are at hand, `clusters` asks
SciPy.
"""

from typing import Any

import numpy as np
from numba import njit

from tuner.curation.columns.words import I64

Item = Any
"""A whole number in compiled code, where Python's, NumPy's and the elements of arrays are the same."""


@njit(cache=True, nogil=True)
def find(parent: I64, item: Item) -> Item:
    """The root of an item in a forest, shortening the way there: the smallest item of its tree."""
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = parent[item]
    return item


@njit(cache=True, nogil=True)
def unite(parent: I64, one: Item, other: Item) -> None:
    """Makes one tree of two, its root the smaller of the two roots, whatever the order of the unions."""
    one, other = find(parent, one), find(parent, other)
    parent[max(one, other)] = min(one, other)


@njit(cache=True, nogil=True)
def roots(parent: I64) -> I64:
    """The root of every item, shape (items,)."""
    return np.array([find(parent, item) for item in range(parent.size)], np.int64)
