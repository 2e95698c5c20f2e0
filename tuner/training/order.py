"""The order of the training rows: rows of similar length share a batch; the rest depends on seed and epoch alone.

The trainer's own grouping uses the global random state, so a resumed training would have another order than an
uninterrupted one; and it does not group at all below a few hundred rows.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

JITTER = 0.2
"""Lengths are varied by up to this fraction, so that batches differ between epochs."""


class GroupedByLength(Sampler[int]):
    """Yields every row once per epoch, in batches of rows of similar length.

    Args:
        lengths: The number of tokens of every row.
        batch_size: Rows in a batch; an incomplete batch comes last.
        seed: Together with the epoch it determines the order.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths, dtype=np.float64)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, which determines the order; the trainer calls this, also when it resumes within an epoch."""
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
