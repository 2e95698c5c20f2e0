"""Instructions as sets of hashed word n-grams, sorted by frequency, rare ones first.

Only a few n-grams of a set need to be looked up to find all near sets, and rare ones have the fewest candidates
(Chaudhuri et al. 2006, "A primitive operator for similarity joins in data cleaning"). The high bits of a value hold the
frequency of its n-gram, so plain sorting puts the rare ones first.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns import ngrams
from tuner.curation.columns.ngrams import Sets
from tuner.curation.columns.words import I64, U64, mix, split

# A value is 6 bits of frequency, in half octaves, above the bits of the hash.
FREQUENCY_SHIFT = np.uint64(58)
# Frequencies are counted in at most this many buckets (128 MB); a collision only costs time.
_MOST_BUCKETS = 1 << 25


def sequences_of(batches: Iterable[pl.Series], ngram: int) -> tuple[Sets, I64]:
    """The n-grams of normalised texts, in the order of the text.

    Args:
        batches: Normalised texts.
        ngram: Words in an n-gram; a shorter text is one n-gram, an empty one has none.

    Returns:
        The sequences that differ, in order of first occurrence, and the index of each text's, shape (texts,).
    """
    joined = ngrams.joined([ngrams.sequences_of(split(texts), ngram) for texts in batches])
    values, offsets = joined.values, joined.offsets
    _, first, index = np.unique(_hashes(values, offsets), return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    first = first[order]
    ends = np.concatenate([[0], np.cumsum(np.diff(offsets)[first])]).astype(np.int64)
    _compact(values, offsets, first, ends)
    return Sets(values[: ends[-1]], ends), rank[index].astype(np.int64)


def sets_of(sequences: Sets, ngram: int, templates: U64) -> Sets:
    """The set of each sequence's own n-grams (`ngrams.own`), rare ones first.

    Args:
        sequences: As `sequences_of` makes them; overwritten.
        ngram: Words in an n-gram.
        templates: The n-grams of templates, sorted.
    """
    sets = ngrams.own(sequences, ngram, templates)
    buckets = 1 << max(10, min(int(sets.values.size).bit_length() + 1, _MOST_BUCKETS.bit_length() - 1))
    _rare_first(sets.values, sets.offsets, np.zeros(buckets, np.uint32))
    return sets


@njit(cache=True, nogil=True)
def _hashes(values: U64, offsets: I64) -> U64:
    hashes = np.empty(offsets.size - 1, np.uint64)
    for text in range(hashes.size):
        digest = mix(np.uint64(offsets[text + 1] - offsets[text]))
        for at in range(offsets[text], offsets[text + 1]):
            digest = mix(digest ^ values[at])
        hashes[text] = digest
    return hashes


@njit(cache=True, nogil=True)
def _compact(values: U64, offsets: I64, chosen: I64, ends: I64) -> None:
    """Moves the chosen sequences, in ascending order, to the front, in place."""
    for position in range(chosen.size):
        begin, to = offsets[chosen[position]], ends[position]
        for at in range(ends[position + 1] - to):
            values[to + at] = values[begin + at]


@njit(cache=True, nogil=True)
def _rare_first(values: U64, offsets: I64, counts: NDArray[np.uint32]) -> None:
    """Puts the frequency into the high bits of each value and re-sorts every set, in place."""
    mask = np.uint64(counts.size - 1)
    for at in range(values.size):
        counts[values[at] & mask] += np.uint32(1)
    for at in range(values.size):
        frequency = np.int64(counts[values[at] & mask])
        octave = 0
        while frequency >> (octave + 1):
            octave += 1
        half = (frequency >> (octave - 1)) & 1 if octave else 0
        values[at] = (np.uint64(2 * octave + half) << FREQUENCY_SHIFT) | values[at]
    for text in range(offsets.size - 1):
        values[offsets[text] : offsets[text + 1]] = np.sort(values[offsets[text] : offsets[text + 1]])
