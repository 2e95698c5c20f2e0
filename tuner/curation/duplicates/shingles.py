"""The exact Jaccard similarity of rows that share a band of their signatures, from their sets of phrases.

A phrase is 32 bits here, half of its hash, so that the sets of a few hundred thousand rows fit in memory. In about one
of 80,000 comparisons of texts of 170 words two phrases collide, and the similarity is off by one phrase; it is the same
wherever the pair is compared.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.checks.duplicates import Near, Text
from tuner.curation.columns.ngrams import Numbers, Sets, jaccard, joined, sets_of
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import I64, Words, split
from tuner.curation.duplicates import signatures

F64 = NDArray[np.float64]

Texts = Callable[[int, I64], pl.DataFrame]
"""Reads texts: from a shard's number and sorted row numbers within it to a frame with the columns `instruction` and
`response`, as every check sees them; they are normalised here."""

_BITS = 32
_ROWS_AT_ONCE = 2048
# Shards read at once, each of which is held in memory.
_THREADS = 2
_PAIRS_AT_ONCE = 100_000


def gather(
    texts: Texts, sizes: Sequence[int], wanted: Mapping[Text, I64], ngram: int, make: Callable[..., Sets] = sets_of
) -> dict[Text, Sets]:
    """Reads rows shard by shard and keeps only their sets of phrases.

    Args:
        texts: Reads texts.
        sizes: Rows of each shard.
        wanted: The sorted positions of the rows, by what is compared. A position counts rows over all shards.
        ngram: Words in a phrase.
        make: Makes the sets, or sequences, of words.

    Returns:
        The sets in the order of the positions, by what is compared.
    """
    all_positions = np.unique(np.concatenate(list(wanted.values()))) if wanted else np.empty(0, np.int64)
    begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    bounds = np.searchsorted(all_positions, begins)

    def of_shard(shard: int) -> dict[Text, list[Sets]]:
        sets: dict[Text, list[Sets]] = {on: [] for on in wanted}
        positions = all_positions[bounds[shard] : bounds[shard + 1]]
        frame = texts(shard, positions - begins[shard]) if positions.size else pl.DataFrame()
        for begin in range(0, positions.size, _ROWS_AT_ONCE):
            block = positions[begin : begin + _ROWS_AT_ONCE]
            rows = frame.slice(begin, _ROWS_AT_ONCE)
            instruction, response = (split(normalised(rows[column])) for column in ("instruction", "response"))
            for on, pieces in sets.items():
                low, high = np.searchsorted(wanted[on], [block[0], block[-1] + 1])
                chosen = np.searchsorted(block, wanted[on][low:high])
                compared = signatures.compared(on, instruction, response)
                pieces.append(make(_chosen(compared, chosen), ngram, _BITS))
        return sets

    with ThreadPoolExecutor(_THREADS) as pool:
        shards = list(pool.map(of_shard, range(len(sizes))))
    # Each list of pieces is emptied as it is joined, so that memory never holds all twice.
    return {on: joined([piece for shard in shards for piece in shard.pop(on)], _BITS) for on in wanted}


def similarity(a: I64, b: I64, sizes: Sequence[int], texts: Texts, near: Near) -> F64:
    """The similarity of each pair: the largest Jaccard similarity over the texts that are compared.

    Args:
        a: Positions, shape (pairs,).
        b: Positions of the others, shape (pairs,).
        sizes: Rows of each shard.
        texts: Reads texts.
        near: What is compared and how.

    Returns:
        Between 0 and 1, shape (pairs,).
    """
    similarities = np.zeros(a.size)
    for begin in range(0, a.size, _PAIRS_AT_ONCE):
        some = slice(begin, begin + _PAIRS_AT_ONCE)
        positions = np.unique(np.concatenate([a[some], b[some]]))
        left, right = np.searchsorted(positions, a[some]), np.searchsorted(positions, b[some])
        for sets in gather(texts, sizes, dict.fromkeys(near.on, positions), near.ngram).values():
            similarities[some] = np.maximum(similarities[some], _similarities(sets.values, sets.offsets, left, right))
    return similarities


def _chosen(words: Words, rows: I64) -> Words:
    """The words of some texts; the same object if these are all."""
    if rows.size == words.offsets.size - 1:
        return words
    counts = words.counts[rows]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    take = np.arange(offsets[-1]) + np.repeat(words.offsets[rows] - offsets[:-1], counts)
    return Words(words.hashes[take], words.lengths[take], offsets)


@njit(cache=True, nogil=True)
def _similarities(values: Numbers, offsets: I64, a: I64, b: I64) -> F64:
    similarities = np.empty(a.size, np.float64)
    for pair in range(a.size):
        similarities[pair] = jaccard(values, offsets, a[pair], b[pair], 0.0)
    return similarities
