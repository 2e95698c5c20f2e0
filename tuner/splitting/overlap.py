"""How much two sets have in common, and how much they would need to be near: compiled, for the joins."""

import numpy as np
from numba import njit

from tuner.splitting.shingles import I64, U64, Sets, Whole

_ONE, _LOW6 = np.uint64(1), np.uint64(63)
_M1, _M2, _M4 = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
_H01 = np.uint64(0x0101010101010101)
_S1, _S2, _S4, _S56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


def bounds(sets: Sets, similarity: float) -> tuple[I64, I64]:
    """What the sizes of sets say of sets near to them.

    Of n values that are sorted alike in all sets, the first n - m + 1 hold one of any m: so many have to be looked up
    to meet every set that shares m (Bayardo et al. 2007, "Scaling up all pairs similarity search").

    Returns:
        The values that two sets need to share, by the sum of their sizes: the least o with o / (sum - o) >= similarity.
        And the values of a set that have to be looked up, by its size n: n - m + 1, where m is the least that a near
        set shares with it, m / n >= similarity.
    """
    largest = int(np.diff(sets.offsets).max(initial=0))
    return _needed(similarity, 2 * largest), _prefixes(similarity, largest)


@njit(cache=True, nogil=True)
def _needed(similarity: float, most: int) -> I64:
    table = np.ones(most + 1, np.int64)
    for total in range(2, most + 1):
        overlap = table[total - 1]
        # Divided as the similarity itself is, so that a pair that just reaches it is not lost to rounding.
        while overlap / (total - overlap) < similarity:
            overlap += 1
        table[total] = overlap
    return table


@njit(cache=True, nogil=True)
def _prefixes(similarity: float, most: int) -> I64:
    table = np.zeros(most + 1, np.int64)
    least = 1
    for size in range(1, most + 1):
        while least / size < similarity:
            least += 1
        table[size] = size - least + 1
    return table


@njit(cache=True, nogil=True)
def bitmaps(values: U64, offsets: I64) -> U64:
    """A sketch of every set: bit (value mod 64) is set for each value, shape (sets,)."""
    maps = np.zeros(offsets.size - 1, np.uint64)
    for item in range(maps.size):
        for at in range(offsets[item], offsets[item + 1]):
            maps[item] |= _ONE << (values[at] & _LOW6)
    return maps


@njit(cache=True, nogil=True, inline="always")
def most_shared(sizes: Whole, left: Whole, right: Whole) -> Whole:
    """The most that two sets can share by their sketches: every bit that differs stands for a value of one set alone.

    Source: Sandes et al. 2020, "Bitmap filter: speeding up exact set similarity joins".
    """
    bits = left ^ right
    bits -= (bits >> _S1) & _M1
    bits = (bits & _M2) + ((bits >> _S2) & _M2)
    bits = (bits + (bits >> _S4)) & _M4
    return (sizes - np.int64((bits * _H01) >> _S56)) >> 1


@njit(cache=True, nogil=True)
def shares(values: U64, left: Whole, left_end: Whole, right: Whole, right_end: Whole, missing: Whole) -> bool:
    """Whether two rising runs of values share at least `missing`; gives up as soon as they cannot."""
    while missing > 0:
        if left_end - left < missing or right_end - right < missing:
            return False
        if values[left] == values[right]:
            missing -= 1
            left += 1
            right += 1
        elif values[left] < values[right]:
            left += 1
        else:
            right += 1
    return True
