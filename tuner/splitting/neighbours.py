"""Looks up a near set for each of some sets: names the row because of which a new row is left out.

2.5 us for an instruction of 51 words among 20,000; SciPy's sparse product takes 58 us, see `join`.
"""

import numpy as np
from numba import njit

from tuner.curation.columns.ngrams import Sets, shared
from tuner.curation.columns.words import I64, U64
from tuner.splitting.overlap import bounds


def first_near(sets: Sets, probes: I64, against: I64, similarity: float) -> I64:
    """Looks up, for each probe, the first of the other sets that is near or equal to it.

    Args:
        sets: All sets.
        probes: Indices of sets, shape (probes,).
        against: Indices of the sets to search, in order of preference, shape (others,).
        similarity: The Jaccard similarity from which two sets are near. Empty sets are equal.

    Returns:
        Positions in `against`, or -1 where none is near, shape (probes,).
    """
    needed, prefixes = bounds(sets, similarity)
    keys, ranks = _index(sets.values, sets.offsets, prefixes, against)
    order = np.lexsort((ranks, keys))
    return _look_up(keys[order], ranks[order], sets.values, sets.offsets, needed, prefixes, probes, against)


@njit(cache=True, nogil=True)
def _index(values: U64, offsets: I64, prefixes: I64, against: I64) -> tuple[U64, I64]:
    total = 0
    for item in against:
        total += prefixes[offsets[item + 1] - offsets[item]]
    keys, ranks = np.empty(total, np.uint64), np.empty(total, np.int64)
    at = 0
    for rank in range(against.size):
        begin = offsets[against[rank]]
        for place in range(prefixes[offsets[against[rank] + 1] - begin]):
            keys[at], ranks[at] = values[begin + place], rank
            at += 1
    return keys, ranks


@njit(cache=True, nogil=True)
def _look_up(
    keys: U64,
    ranks: I64,
    values: U64,
    offsets: I64,
    needed: I64,
    prefixes: I64,
    probes: I64,
    against: I64,
) -> I64:
    nearest = np.full(probes.size, -1, np.int64)
    for position in range(probes.size):
        item = probes[position]
        begin, end = offsets[item], offsets[item + 1]
        size = end - begin
        best = against.size
        if size == 0:
            for rank in range(against.size):
                if against[rank] == item:
                    best = rank
                    break
        for place in range(prefixes[size]):
            value = values[begin + place]
            at = np.searchsorted(keys, value)
            while at < keys.size and keys[at] == value and ranks[at] < best:
                other = against[ranks[at]]
                other_size = offsets[other + 1] - offsets[other]
                need = needed[size + other_size]
                if (
                    need <= min(size, other_size)
                    and shared(values, begin, end, offsets[other], offsets[other + 1], need) >= 0
                ):
                    best = ranks[at]
                at += 1
        if best < against.size:
            nearest[position] = best
    return nearest
