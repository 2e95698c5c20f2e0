"""The order of the training rows: rows of similar length share a batch, and the epoch alone decides the rest.

The trainer's own grouping draws from the global random state, so a resumed training would see another order than an
uninterrupted one; and on fewer than some hundred rows it groups nothing.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

JITTER = 0.2
"""Lengths are scaled by up to so much, so that no two epochs put the same rows together."""


class GroupedByLength(Sampler[int]):
    """Yields every row once per epoch, in runs of `batch_size` rows of similar length.

    Args:
        lengths: Tokens of every row.
        batch_size: Rows of a batch; the incomplete batch, if there is one, comes last.
        seed: With the number of the epoch it decides the order.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths, dtype=np.float64)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of an epoch; the trainer calls it, also when it resumes within one."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self.seed, self.epoch])
        rows = random.permutation(len(self.lengths))
        full = len(rows) - len(rows) % self.batch_size
        rows, rest = rows[:full], rows[full:]
        keys = self.lengths[rows] * random.uniform(1 - JITTER, 1 + JITTER, size=full)
        batches = rows[np.argsort(keys, kind="stable")].reshape(-1, self.batch_size)
        yield from batches[random.permutation(len(batches))].ravel().tolist()
        yield from rest.tolist()
