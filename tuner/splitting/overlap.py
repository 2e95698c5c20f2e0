"""What the sizes of sets say of sets near to them."""

import numpy as np

from tuner.curation.columns.ngrams import Sets
from tuner.curation.columns.words import I64


def bounds(sets: Sets, similarity: float) -> tuple[I64, I64]:
    """How much two sets have to share to be near, and how much of a set has to be looked up to meet all near ones.

    Of n values that are sorted alike in all sets, the first n - m + 1 hold one of any m: so many have to be looked up
    to meet every set that shares m (Bayardo et al. 2007, "Scaling up all pairs similarity search").

    Returns:
        The values that two sets need to share, by the sum of their sizes: the least o with o / (sum - o) >= similarity.
        And the values of a set that have to be looked up, by its size n: n - m + 1, where m is the least that a near
        set shares with it, m / n >= similarity.
    """
    largest = int(np.diff(sets.offsets).max(initial=0))
    sums, sizes = np.arange(2, 2 * largest + 1), np.arange(1, largest + 1)
    needed = np.maximum(sums * (similarity / (1 + similarity)), 1).astype(np.int64)
    least = np.maximum(sizes * similarity, 1).astype(np.int64)
    # Divided as the similarity itself is, so that a pair that just reaches it is not lost to rounding.
    needed += needed / (sums - needed) < similarity
    least += least / sizes < similarity
    return np.concatenate([[1, 1], needed]), np.concatenate([[0], sizes - least + 1])
