"""Sets of word n-grams and how much two of them share, for all that asks whether texts are near to each other.

These are near duplicates, the clusters of the split, the prompts of benchmarks and the diversity of what is kept. The
proof that a split does not leak has means of its own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.words import I64, Words, phrases

Numbers = NDArray[np.unsignedinteger[Any]]
Whole = Any
"""A whole number in compiled code, where Python's, NumPy's and the elements of arrays are the same."""


@dataclass(frozen=True)
class Sets:
    """Sets of numbers that stand for n-grams.

    Attributes:
        values: Rising within each set, each once, one set after another, shape (values,).
        offsets: Set i has the values from offsets[i] up to offsets[i + 1], shape (sets + 1,).
    """

    values: Numbers
    offsets: I64

    def __len__(self) -> int:
        return self.offsets.size - 1


def sets_of(words: Words, ngram: int, bits: int = 64) -> Sets:
    """The set of each text's n-grams.

    Args:
        words: Of normalised texts.
        ngram: Words in an n-gram; a shorter text is one n-gram, an empty one has none.
        bits: Of each hash, the upper ones: 64, or 32 in half the memory.
    """
    hashes, offsets = phrases(words, ngram)
    return Sets(*_distinct((hashes >> np.uint64(64 - bits)).astype(f"uint{bits}", copy=False), offsets))


def joined(pieces: list[Sets], bits: int = 64) -> Sets:
    """The sets of all pieces in order. Empties the list piece by piece, so that the sum is never held twice."""
    sizes = [np.zeros(1, np.int64), *(np.diff(piece.offsets) for piece in pieces)]
    offsets = np.cumsum(np.concatenate(sizes))
    values, end = np.empty(offsets[-1], f"uint{bits}"), offsets[-1]
    while pieces:
        piece = pieces.pop().values
        values[end - piece.size : end] = piece
        end -= piece.size
    return Sets(values, offsets)


@njit(cache=True, nogil=True)
def _distinct(values: Numbers, offsets: I64) -> tuple[Numbers, I64]:
    """Each text's numbers sorted, none twice, and where they begin.

    20,000 texts of 217 words take 10 us each; with NumPy's `unique` for each text 36 us, with Polars 43 us.
    """
    kept, ends = np.empty_like(values), np.zeros_like(offsets)
    end = 0
    for text in range(offsets.size - 1):
        piece = np.sort(values[offsets[text] : offsets[text + 1]])
        for at in range(piece.size):
            if at == 0 or piece[at] != piece[at - 1]:
                kept[end] = piece[at]
                end += 1
        ends[text + 1] = end
    return kept[:end].copy(), ends


@njit(cache=True, nogil=True)
def shared(values: Numbers, left: Whole, left_end: Whole, right: Whole, right_end: Whole, least: Whole) -> Whole:
    """How many numbers two rising runs share; -1 as soon as they cannot share `least`.

    Two runs of 213 numbers take 2.7 us to the end; NumPy's `intersect1d` takes 12, sets of Python that are made 16.
    """
    count = 0
    while left < left_end and right < right_end:
        if count + min(left_end - left, right_end - right) < least:
            return -1
        # Without a branch that no processor foresees.
        one, other = values[left], values[right]
        count += one == other
        left += one <= other
        right += other <= one
    return count if count >= least else -1


@njit(cache=True, nogil=True)
def jaccard(values: Numbers, offsets: I64, one: Whole, other: Whole, least: float) -> float:
    """The share of the n-grams of two sets that both have; -1 as soon as it cannot reach `least`; 0 of empty ones."""
    left, left_end, right, right_end = offsets[one], offsets[one + 1], offsets[other], offsets[other + 1]
    total = left_end - left + right_end - right
    if total == 0:
        return 0.0
    # count / (total - count) >= least needs so many, a little less for rounding.
    needed = np.int64(np.ceil(least * total / (1.0 + least) - 1e-6))
    count = shared(values, left, left_end, right, right_end, needed)
    similarity = count / (total - count)
    return similarity if similarity >= least else -1.0
