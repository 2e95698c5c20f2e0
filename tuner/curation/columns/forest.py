"""Union-find for compiled code: which items are connected, updated while pairs are found.

A loop that compares pairs skips those that are connected already, so it makes one link for each item of a cluster, not
for each pair, and stores no more links than items. Where all pairs are known, `clusters` uses SciPy.
"""

from typing import Any

import numpy as np
from numba import njit

from tuner.curation.columns.words import I64

Item = Any
"""An integer in compiled code, which does not tell Python's from NumPy's."""


@njit(cache=True, nogil=True)
def find(parent: I64, item: Item) -> Item:
    """The root of an item, which is the smallest item of its tree. Shortens the path to it."""
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = parent[item]
    return item


@njit(cache=True, nogil=True)
def unite(parent: I64, one: Item, other: Item) -> None:
    """Merges two trees. The smaller root becomes the root, so the order of unions does not matter."""
    one, other = find(parent, one), find(parent, other)
    parent[max(one, other)] = min(one, other)


@njit(cache=True, nogil=True)
def roots(parent: I64) -> I64:
    """The root of every item, shape (items,)."""
    return np.array([find(parent, item) for item in range(parent.size)], np.int64)
