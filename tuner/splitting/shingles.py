"""Instructions as sets of numbers: the hashes of their word n-grams, the rare ones first.

Two texts are near if the Jaccard similarity of their sets reaches a bound. Only a few n-grams of a set need to be
looked up to find all sets near to it, and it pays to look up rare ones (Chaudhuri et al. 2006, "A primitive operator
for similarity joins in data cleaning"). So a number begins with how often its n-gram occurs and plain sorting puts the
rare ones first.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns import ngrams
from tuner.curation.columns.ngrams import Sets
from tuner.curation.columns.words import I64, U64, mix, split

# A number is 6 bits of frequency, in half octaves, above 58 bits of hash: among 50 million different n-grams the
# expected number of pairs that share all 58 is 0.004.
FREQUENCY_SHIFT = np.uint64(58)
_DROPPED = np.uint64(6)
# Frequencies are counted in buckets, at most so many (128 MB): one too high by a collision only costs time.
_MOST_BUCKETS = 1 << 25


def sets_of(pieces: Iterable[pl.Series], ngram: int) -> tuple[Sets, I64]:
    """Makes the sets of normalised texts.

    Args:
        pieces: Columns of texts.
        ngram: Words in an n-gram; a shorter text is one n-gram, an empty one has none.

    Returns:
        The different sets, and which of them each text has, shape (texts,).
    """
    every = ngrams.joined([ngrams.sets_of(split(texts), ngram) for texts in pieces])
    return _different(every.values, every.offsets)


def _different(values: U64, offsets: I64) -> tuple[Sets, I64]:
    _, first, of = np.unique(_names(values, offsets), return_index=True, return_inverse=True)
    # Numbered as they come.
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    first = first[order]
    ends = np.concatenate([[0], np.cumsum(np.diff(offsets)[first])]).astype(np.int64)
    _compact(values, offsets, first, ends)
    values = values[: ends[-1]]
    buckets = 1 << max(10, min(int(values.size).bit_length() + 1, _MOST_BUCKETS.bit_length() - 1))
    _rare_first(values, ends, np.zeros(buckets, np.uint32))
    return Sets(values, ends), rank[of].astype(np.int64)


@njit(cache=True, nogil=True)
def _names(values: U64, offsets: I64) -> U64:
    names = np.empty(offsets.size - 1, np.uint64)
    for text in range(names.size):
        name = mix(np.uint64(offsets[text + 1] - offsets[text]))
        for at in range(offsets[text], offsets[text + 1]):
            name = mix(name ^ values[at])
        names[text] = name
    return names


@njit(cache=True, nogil=True)
def _compact(values: U64, offsets: I64, chosen: I64, ends: I64) -> None:
    """Moves the chosen sets, which rise, to the front."""
    for position in range(chosen.size):
        begin, to = offsets[chosen[position]], ends[position]
        for at in range(ends[position + 1] - to):
            values[to + at] = values[begin + at]


@njit(cache=True, nogil=True)
def _rare_first(values: U64, offsets: I64, counts: NDArray[np.uint32]) -> None:
    """Puts the frequency before the hash and sorts every set anew, in place."""
    mask = np.uint64(counts.size - 1)
    for at in range(values.size):
        counts[values[at] & mask] += np.uint32(1)
    for at in range(values.size):
        frequency = np.int64(counts[values[at] & mask])
        octave = 0
        while frequency >> (octave + 1):
            octave += 1
        half = (frequency >> (octave - 1)) & 1 if octave else 0
        values[at] = (np.uint64(2 * octave + half) << FREQUENCY_SHIFT) | (values[at] >> _DROPPED)
    for text in range(offsets.size - 1):
        values[offsets[text] : offsets[text + 1]] = np.sort(values[offsets[text] : offsets[text + 1]])
