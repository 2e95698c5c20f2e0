"""The diversity of the kept instructions. Only measured; no row is rejected for it.

Distinct-n (arXiv 1510.03055): different n-grams over all n-grams. Compression ratio (arXiv 2403.00553): bytes over
bytes after zlib; redundant texts compress better. Nearest neighbour: one minus the Jaccard similarity of the sets of
words, to the most similar instruction. Openings: the first two words.
"""

import zlib

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tuner.curation.columns.ngrams import Sets, sets_of
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import Words, beginnings, phrases, split
from tuner.curation.metrics import Diversity, Neighbours

F64 = NDArray[np.float64]

SAMPLE = 20_000
"""Instructions measured at most. Distinct-n falls with their number, so compare figures at equal numbers only."""

NEIGHBOURS = 2_000
"""How many of them are compared pairwise."""

OPENINGS = 10


def measure(instructions: pl.Series, kept: int) -> Diversity:
    """Measures a sample of the kept instructions.

    Args:
        instructions: At most `SAMPLE` of them, in an order that does not depend on that of the rows.
        kept: How many were kept in all.
    """
    normal = normalised(instructions)
    words = split(normal)
    raw = "\n".join(normal).encode(errors="replace")
    sets = sets_of(split(normal.head(NEIGHBOURS)), 1)
    distances = _nearest(sets) if len(sets) > 1 else np.zeros(0)
    nearest = None
    if distances.size:
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


def _nearest(sets: Sets) -> F64:
    """The distance of each set to the most similar other, shape (sets,)."""
    _, words = np.unique(sets.values, return_inverse=True)
    held = csr_array((np.ones(words.size, np.int32), words, sets.offsets))
    shared, sizes = (held @ held.T).toarray(), np.diff(sets.offsets)
    similar = shared / np.maximum(sizes[:, None] + sizes - shared, 1)
    np.fill_diagonal(similar, 0)
    return 1 - similar.max(axis=1)
