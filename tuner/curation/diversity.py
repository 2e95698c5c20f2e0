"""The diversity of the kept instructions. Only measured; no row is rejected for it.

Distinct-n (arXiv 1510.03055): different n-grams over all n-grams. Compression ratio (arXiv 2403.00553): bytes over
bytes after zlib; redundant texts compress better. Nearest neighbour: one minus the Jaccard similarity of the sets of
words, to the most similar instruction. Openings: the first two words. NovelSum: see `novelsum`.
"""

import zlib
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tuner.curation.columns.ngrams import Sets, sets_of
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import Words, beginnings, phrases, split
from tuner.curation.metrics import Diversity, Neighbours, NovelSum

F64 = NDArray[np.float64]

SAMPLE = 20_000
"""Instructions measured at most. Distinct-n falls with their number, so compare figures at equal numbers only."""

NEIGHBOURS = 2_000
"""How many of them are compared pairwise."""

OPENINGS = 10


WORDS = "sets of words"
"""What NovelSum is measured on without an embedder."""


class Embedded(NamedTuple):
    """The vectors of the first instructions of a sample, at most `NEIGHBOURS`.

    Attributes:
        vectors: Of length 1, or zero, shape (instructions, dimensions).
        on: The embedder and the text that it read.
    """

    vectors: NDArray[np.floating]
    on: str


def measure(instructions: pl.Series, kept: int, embedded: Embedded | None = None) -> Diversity:
    """Measures a sample of the kept instructions.

    Args:
        instructions: At most `SAMPLE` of them, in an order that does not depend on that of the rows.
        kept: How many were kept in all.
        embedded: Their vectors, if the recipe names an embedder.
    """
    normal = normalised(instructions)
    words = split(normal)
    raw = "\n".join(normal).encode(errors="replace")
    sets = sets_of(split(normal.head(NEIGHBOURS)), 1)
    nearest = novel = None
    if len(sets) > 1:
        apart = _apart(sets)
        on = WORDS if embedded is None else embedded.on
        value = novelsum(apart if embedded is None else _cosine_distances(embedded.vectors))
        novel = NovelSum(value=round(value, 4), of=len(sets), on=on)
        np.fill_diagonal(apart, np.inf)
        distances = apart.min(axis=1)
        median, mean = (round(float(middle), 4) for middle in (np.median(distances), distances.mean()))
        nearest = Neighbours(median=median, mean=mean, of=distances.size)
    counts = (
        openings(normal).value_counts(sort=False).sort(["count", "opening"], descending=[True, False]).head(OPENINGS)
    )
    return Diversity(
        kept=kept,
        sample=len(normal),
        distinct_1=_distinct(words, 1),
        distinct_2=_distinct(words, 2),
        distinct_3=_distinct(words, 3),
        compression_ratio=round(len(raw) / len(zlib.compress(raw, 6)), 3) if raw else None,
        nearest_neighbour=nearest,
        novelsum=novel,
        openings={
            opening: round(count / len(normal), 4) for opening, count in counts.select("opening", "count").iter_rows()
        },
    )


def _distinct(words: Words, size: int) -> float | None:
    hashes, _ = phrases(words, size)
    return round(np.unique(hashes).size / hashes.size, 4) if hashes.size else None


def openings(normal: pl.Series) -> pl.Series:
    """The first two words of normalised instructions, or fewer; named `opening`."""
    return beginnings(normal, 2).alias("opening")


def novelsum(distances: F64) -> float:
    """NovelSum (Yang et al. 2025, arXiv 2502.17184): the mean novelty of a text.

        novelty(x) = sum over r of d(x, y_r) / r, divided by the sum over r of 1 / r

    where y_1 = x, y_2, ... are the texts by rising distance d from x. So near texts weigh most, and a copy lowers the
    novelty of its original. That is the authors' program with its proximity power of 1, its self-distance and without
    the density factor (power 0), which they advise to leave out where there is no reference corpus: it compares a data
    set with the corpus it was chosen from. The value is 0 if all texts are equal and at most the largest distance
    times 1 - 1/H_n, with the n-th harmonic number H_n: it rises slowly with the number of texts.

    Args:
        distances: Between all texts, zeros on the diagonal, shape (texts, texts).
    """
    weights = 1 / np.arange(1, len(distances) + 1)
    return float((np.sort(distances, axis=1) @ weights).mean() / weights.sum())


def _cosine_distances(vectors: NDArray[np.floating]) -> F64:
    """One minus the cosine of each pair, shape (vectors, vectors)."""
    exact = vectors.astype(np.float64)
    apart = np.clip(1 - exact @ exact.T, 0, 2)
    np.fill_diagonal(apart, 0)
    return apart


def _apart(sets: Sets) -> F64:
    """One minus the Jaccard similarity of each pair of sets, shape (sets, sets)."""
    _, words = np.unique(sets.values, return_inverse=True)
    held = csr_array((np.ones(words.size, np.int32), words, sets.offsets))
    shared, sizes = (held @ held.T).toarray(), np.diff(sets.offsets)
    similar = shared / np.maximum(sizes[:, None] + sizes - shared, 1)
    np.fill_diagonal(similar, 1)
    return 1 - similar
