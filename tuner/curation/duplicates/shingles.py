"""The sets of phrases of chosen rows, and how much two of them share: the truth behind what signatures suggest.

A phrase is 32 bits here, half of its hash, so that the sets of a few hundred thousand rows fit in memory. In one of
some 80,000 comparisons of texts of 170 words two phrases fall together, and the similarity is off by one phrase; it is
the same wherever the pair is compared.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.checks.duplicates import Near, Text
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import I64, Words, phrases, split
from tuner.curation.duplicates import signatures

U32 = NDArray[np.uint32]
F64 = NDArray[np.float64]

Texts = Callable[[int, I64], pl.DataFrame]
"""Reads texts: of a shard, by its number, the rows that are named (their numbers within the shard, rising). The frame
has the columns `instruction` and `response`, as every check sees them; they are normalised here."""

_ROWS_AT_ONCE = 2048
_PAIRS_AT_ONCE = 100_000

_S32 = np.uint64(32)


@dataclass(frozen=True)
class Shingles:
    """Sets of phrases.

    Attributes:
        hashes: Of the phrases, rising within each set, each once, shape (phrases,).
        offsets: Set i is hashes[offsets[i]:offsets[i + 1]], shape (sets + 1,).
    """

    hashes: U32
    offsets: I64

    def __len__(self) -> int:
        return self.offsets.size - 1


def of(words: Words, size: int) -> Shingles:
    """The set of each text's phrases of `size` words."""
    hashes, offsets = phrases(words, size)
    # The number of the text above the hash: one sort over all texts is several times as fast as one for each.
    text = np.repeat(np.arange(offsets.size - 1, dtype=np.uint64), np.diff(offsets))
    packed = np.sort((text << _S32) | (hashes >> _S32))
    packed = packed[np.append(True, packed[1:] != packed[:-1])[: packed.size]]
    counts = np.bincount((packed >> _S32).astype(np.int64), minlength=offsets.size - 1)
    return Shingles(packed.astype(np.uint32), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def gather(texts: Texts, sizes: Sequence[int], wanted: Mapping[Text, I64], ngram: int) -> dict[Text, Shingles]:
    """Reads rows shard by shard, each once, and keeps only their sets of phrases.

    Args:
        texts: Reads texts.
        sizes: Rows of each shard.
        wanted: By what is compared, the positions wanted, rising. A position is a row's number in all shards one
            after another.
        ngram: Words in a phrase.

    Returns:
        By what is compared, the sets in the order of the positions.
    """
    found: dict[Text, _Growing] = {on: _Growing(positions.size) for on, positions in wanted.items()}
    everything = np.unique(np.concatenate(list(wanted.values()))) if wanted else np.empty(0, np.int64)
    begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    bounds = np.searchsorted(everything, begins)
    for shard, (first, last) in enumerate(pairwise(bounds)):
        if first == last:
            continue
        positions = everything[first:last]
        frame = texts(shard, positions - begins[shard])
        for begin in range(0, positions.size, _ROWS_AT_ONCE):
            here = positions[begin : begin + _ROWS_AT_ONCE]
            rows = frame.slice(begin, _ROWS_AT_ONCE)
            instruction, response = (split(normalised(rows[column])) for column in ("instruction", "response"))
            for on, sets in found.items():
                low, high = np.searchsorted(wanted[on], [here[0], here[-1] + 1])
                chosen = np.searchsorted(here, wanted[on][low:high])
                sets.add(of(_chosen(signatures.compared(on, instruction, response), chosen), ngram))
    return {on: sets.finished() for on, sets in found.items()}


def similarity(a: I64, b: I64, sizes: Sequence[int], texts: Texts, near: Near) -> F64:
    """How near the rows of each pair are: the largest Jaccard similarity over the texts that are compared.

    Args:
        a: Positions, shape (pairs,).
        b: Positions of the others, shape (pairs,).
        sizes: Rows of each shard.
        texts: Reads texts.
        near: Says what is compared and how.

    Returns:
        Between 0 and 1, shape (pairs,).
    """
    found = np.zeros(a.size)
    for begin in range(0, a.size, _PAIRS_AT_ONCE):
        some = slice(begin, begin + _PAIRS_AT_ONCE)
        positions = np.unique(np.concatenate([a[some], b[some]]))
        left, right = np.searchsorted(positions, a[some]), np.searchsorted(positions, b[some])
        for sets in gather(texts, sizes, dict.fromkeys(near.on, positions), near.ngram).values():
            found[some] = np.maximum(found[some], _similarities(sets.hashes, sets.offsets, left, right))
    return found


class _Growing:
    """Sets that are appended, in one block of memory that grows in place."""

    def __init__(self, sets: int) -> None:
        self._offsets = np.zeros(sets + 1, np.int64)
        self._hashes = np.empty(0, np.uint32)
        self._sets = 0

    def add(self, shingles: Shingles) -> None:
        held = int(self._offsets[self._sets])
        if held + shingles.hashes.size > self._hashes.size:
            # No other array looks at this memory, so it may move.
            self._hashes.resize(max(held + shingles.hashes.size, self._hashes.size * 5 // 4), refcheck=False)
        self._hashes[held : held + shingles.hashes.size] = shingles.hashes
        self._offsets[self._sets + 1 : self._sets + 1 + len(shingles)] = held + shingles.offsets[1:]
        self._sets += len(shingles)

    def finished(self) -> Shingles:
        return Shingles(self._hashes[: self._offsets[-1]], self._offsets)


def _chosen(words: Words, rows: I64) -> Words:
    """The words of some texts; all of them are handed through as they are."""
    if rows.size == words.offsets.size - 1:
        return words
    counts = words.counts[rows]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    take = np.arange(offsets[-1]) + np.repeat(words.offsets[rows] - offsets[:-1], counts)
    return Words(words.hashes[take], words.lengths[take], offsets)


@njit(cache=True, nogil=True)
def jaccard(hashes: U32, offsets: I64, one: int, other: int, least: float) -> float:
    """The share of the phrases of two sets that both have; -1 as soon as it cannot reach `least`; 0 of empty ones."""
    at, end = offsets[one], offsets[one + 1]
    then, stop = offsets[other], offsets[other + 1]
    total = (end - at) + (stop - then)
    if total == 0:
        return 0.0
    # shared / (total - shared) >= least needs so many shared, a little less for rounding; each phrase that only one
    # has lowers how many there can be.
    needed = least * total / (1.0 + least) - 1e-6
    shared = 0
    while at < end and then < stop:
        if shared + min(end - at, stop - then) < needed:
            return -1.0
        left, right = hashes[at], hashes[then]
        shared += left == right
        at += left <= right
        then += right <= left
    similar = shared / (total - shared)
    return similar if similar >= least else -1.0


@njit(cache=True, nogil=True)
def _similarities(hashes: U32, offsets: I64, a: I64, b: I64) -> F64:
    found = np.empty(a.size, np.float64)
    for pair in range(a.size):
        found[pair] = jaccard(hashes, offsets, a[pair], b[pair], 0.0)
    return found
