"""A table that counts hashes, for compiled loops over the words of many texts.

One table serves all texts one after another. An entry carries the stamp of the text that made it, so that a new text
begins with an empty table without clearing it; and a short text uses only a part of the table, which stays in the
processor's cache.
"""

import numpy as np
from numba import njit

from tuner.curation.columns.words import U64

# Fields of an entry. One array of them all: a tuple of arrays would have its references counted at every call.
_KEY, _COUNT, _STAMP = 0, 1, 2


@njit(cache=True, nogil=True)
def table(entries: int) -> U64:
    """An empty table for texts of at most `entries` hashes, shape (slots, 3)."""
    return np.zeros((slots_for(entries), 3), np.uint64)


@njit(cache=True, nogil=True, inline="always")
def slots_for(entries: int) -> int:
    """The smallest power of two that is at least twice the entries."""
    slots = 2
    while slots < 2 * entries:
        slots *= 2
    return slots


@njit(cache=True, nogil=True, inline="always")
def count(into: U64, slots: int, stamp: int, key: np.uint64) -> int:
    """Adds one to the count of a hash.

    Args:
        into: The table.
        slots: How many of its slots are used: `slots_for` the hashes of this text, the same at every call for it.
        stamp: A positive number of this text alone. Entries with another stamp are overwritten, so counting two things
            of one text at the same time takes two tables.
        key: The hash, whose low bits have to be well mixed.

    Returns:
        Its count under this stamp.
    """
    mark = np.uint64(stamp)
    slot = np.int64(key & np.uint64(slots - 1))
    while into[slot, _STAMP] == mark and into[slot, _KEY] != key:
        slot = (slot + 1) & (slots - 1)
    times = int(into[slot, _COUNT]) + 1 if into[slot, _STAMP] == mark else 1
    into[slot, _KEY], into[slot, _COUNT], into[slot, _STAMP] = key, np.uint64(times), mark
    return times


@njit(cache=True, nogil=True, inline="always")
def counted(within: U64, slots: int, stamp: int, key: np.uint64) -> int:
    """The count of a hash under a stamp; arguments as for `count`."""
    mark = np.uint64(stamp)
    slot = np.int64(key & np.uint64(slots - 1))
    while within[slot, _STAMP] == mark and within[slot, _KEY] != key:
        slot = (slot + 1) & (slots - 1)
    return int(within[slot, _COUNT]) if within[slot, _STAMP] == mark else 0
