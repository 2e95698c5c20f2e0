"""How unlike each other the kept instructions are. Measured, never filtered by.

Distinct-n (arXiv 1510.03055): different n-grams over all n-grams. Compression ratio (arXiv 2403.00553): bytes over
bytes after zlib; redundant texts compress better. Nearest neighbour: one minus the Jaccard similarity of the sets of
words, to the instruction that is nearest. Openings: the first two words.
"""

import zlib

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.ngrams import Numbers, jaccard, sets_of
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import I64, Words, phrases, split
from tuner.curation.metrics import Diversity, Neighbours

F64 = NDArray[np.float64]

SAMPLE = 20_000
"""Instructions that are looked at, at most: distinct-n falls as more are, so figures compare at equal numbers only."""

NEIGHBOURS = 2_000
"""Of these, how many are compared each with each."""

OPENINGS = 10


def measure(instructions: pl.Series, kept: int) -> Diversity:
    """Measures a sample of the kept instructions.

    Args:
        instructions: At most `SAMPLE` of them, in an order that does not depend on how rows came in.
        kept: How many were kept in all.
    """
    normal = normalised(instructions)
    words = split(normal)
    raw = "\n".join(normal).encode(errors="replace")
    few = sets_of(split(normal.head(NEIGHBOURS)), 1)
    distances = _nearest(few.values, few.offsets) if len(few) > 1 else np.zeros(0)
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
    """The first two words of normalised instructions, or what there is of them; named `opening`."""
    return normal.str.extract(r"^(\S+(?: \S+)?)").fill_null("").alias("opening")


@njit(cache=True, nogil=True)
def _nearest(values: Numbers, offsets: I64) -> F64:
    texts = offsets.size - 1
    most = np.zeros(texts)
    for one in range(texts):
        for other in range(one + 1, texts):
            similar = jaccard(values, offsets, one, other, min(most[one], most[other]))
            most[one], most[other] = max(most[one], similar), max(most[other], similar)
    return 1.0 - most
