"""Bounds on near sets that follow from their sizes alone."""

import numpy as np

from tuner.curation.columns.ngrams import Sets
from tuner.curation.columns.words import I64


def bounds(sets: Sets, similarity: float) -> tuple[I64, I64]:
    """The overlap that two near sets need, and the prefix of a set that has to be looked up to find all near sets.

    Prefix filtering (Bayardo et al. 2007, "Scaling up all pairs similarity search"): with values in the same order in
    all sets, the first n - m + 1 of a set's n values include one of any m. Looking those up finds every set that
    shares m values.

    Returns:
        The values that two sets need to share, by the sum of their sizes: the least o with o / (sum - o) >= similarity.
        And the length of the prefix, by the size n of the set: n - m + 1, where m is the fewest values that a near set
        shares with it, m / n >= similarity.
    """
    largest = int(np.diff(sets.offsets).max(initial=0))
    sums, sizes = np.arange(2, 2 * largest + 1), np.arange(1, largest + 1)
    needed = np.maximum(sums * (similarity / (1 + similarity)), 1).astype(np.int64)
    least = np.maximum(sizes * similarity, 1).astype(np.int64)
    # The same division as that of the similarity, so that rounding loses no pair that just reaches it.
    needed += needed / (sums - needed) < similarity
    least += least / sizes < similarity
    return np.concatenate([[1, 1], needed]), np.concatenate([[0], sizes - least + 1])
