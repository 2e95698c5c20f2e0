"""Which rows may hold a benchmark's prompt: the compiled first look, which passes too many and never too few."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.batch import Flags
from tuner.curation.columns.words import I64, U64
from tuner.curation.detectors.benchmark_index import Grams

Phrases = tuple[U64, I64]
"""Of a column of texts, as `words.phrases` makes them."""


def may_overlap(texts: Sequence[Phrases], grams: Grams, run: int, tenths: int) -> Flags:
    """Which rows have so many known phrases one after another, or so large a share of some prompt's.

    Args:
        texts: The phrases of the instructions and of the responses.
        grams: The prompts'.
        run: Phrases one after another.
        tenths: The share.

    Returns:
        Shape (rows,).
    """
    held = [_held(*phrases, grams.hashes, grams.fewest, grams.filter) for phrases in texts]
    hits = np.sum([hits for hits, _, _ in held], axis=0)
    longest = np.max([longest for _, longest, _ in held], axis=0)
    fewest = np.min([fewest for _, _, fewest in held], axis=0)
    return (longest >= run) | ((hits > 0) & (10 * hits >= tenths * fewest))


def may_be_near(texts: Phrases, shingles: Grams, similarity: float) -> Flags:
    """Of which texts at least this share of the different phrases is known: fewer cannot reach it as a Jaccard.

    Returns:
        Shape (texts,).
    """
    return _covered(*texts, shingles.hashes, shingles.filter, similarity)


@njit(cache=True, nogil=True)
def _shift(size: int) -> np.uint64:
    bits = 0
    while size > 1:
        size >>= 1
        bits += 1
    return np.uint64(64 - bits)


@njit(cache=True, nogil=True, inline="always")
def _place(value: np.uint64, known: U64, may: NDArray[np.bool_], shift: np.uint64) -> int:
    """Where a hash is first among those known, or -1."""
    if not may[value >> shift]:
        return -1
    place = np.searchsorted(known, value)
    return int(place) if place < known.size and known[place] == value else -1


@njit(cache=True, nogil=True)
def _held(hashes: U64, offsets: I64, known: U64, fewest: I64, may: NDArray[np.bool_]) -> tuple[I64, I64, I64]:
    """Of each text how many phrases are known, how many one after another, and the smallest prompt that has one."""
    shift = _shift(may.size)
    texts = offsets.size - 1
    hits, longest = np.zeros(texts, np.int64), np.zeros(texts, np.int64)
    smallest = np.full(texts, np.iinfo(np.int64).max // 16)
    for text in range(texts):
        run = 0
        for phrase in range(offsets[text], offsets[text + 1]):
            place = _place(hashes[phrase], known, may, shift)
            if place < 0:
                run = 0
                continue
            run += 1
            hits[text] += 1
            longest[text] = max(longest[text], run)
            smallest[text] = min(smallest[text], fewest[place])
    return hits, longest, smallest


@njit(cache=True, nogil=True)
def _covered(hashes: U64, offsets: I64, known: U64, may: NDArray[np.bool_], share: float) -> Flags:
    shift = _shift(may.size)
    covered = np.zeros(offsets.size - 1, np.bool_)
    for text in range(offsets.size - 1):
        begin, end = offsets[text], offsets[text + 1]
        first = end
        for phrase in range(begin, end):
            if _place(hashes[phrase], known, may, shift) >= 0:
                first = phrase
                break
        if first == end:
            continue
        ordered = np.sort(hashes[begin:end])
        different, held = 0, 0
        for at in range(ordered.size):
            if at == 0 or ordered[at] != ordered[at - 1]:
                different += 1
                held += _place(ordered[at], known, may, shift) >= 0
        covered[text] = held >= share * different
    return covered
