"""How sure a held-out loss is: percentile bootstrap intervals over rows, paired for differences.

The loss of a set of rows is token-weighted: the sum of their losses (nats) over the sum of their tokens. Rows are
what was sampled, so rows are resampled, with their tokens; the tokens of one response depend on each other. Method:
Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
# Indices drawn at once, 8 bytes each: bounds the memory whatever the numbers of rows and resamples.
_DRAWN_AT_ONCE = 1 << 20

Floats = Sequence[float] | NDArray[np.float64]
Counts = Sequence[int] | NDArray[np.int64]
Bound = float | None


def interval(loss_sums: Floats, tokens: Counts, resamples: int, seed: int) -> tuple[Bound, Bound]:
    """The 95 % interval of a token-weighted loss.

    Args:
        loss_sums: The loss of every row, summed over its tokens, shape (rows,).
        tokens: The tokens of every row, shape (rows,).
        resamples: How many sets of rows are drawn.
        seed: Decides the draws.

    Returns:
        The low and the high end, in nats per token. With a single row both are None: it says nothing of how rows
        differ.

    Raises:
        ValueError: If there is no row, the lengths differ, or a row has no tokens.
    """
    return _percentiles(*_checked(loss_sums, tokens), resamples, seed)


def difference(
    loss_sums_a: Floats, loss_sums_b: Floats, tokens: Counts, resamples: int, seed: int
) -> tuple[float, Bound, Bound]:
    """The loss of a minus the loss of b on the same rows, with its 95 % interval.

    Paired: every resample draws the same rows for both, so what makes a row hard for both cancels.

    Args:
        loss_sums_a: The loss of a on every row, summed over its tokens, shape (rows,).
        loss_sums_b: The loss of b, likewise.
        tokens: The tokens of every row, the same for both, shape (rows,).
        resamples: How many sets of rows are drawn.
        seed: Decides the draws.

    Returns:
        The difference and the low and high end of its interval, in nats per token; the ends are None with a single
        row.

    Raises:
        ValueError: If there is no row, the lengths differ, or a row has no tokens.
    """
    a, counts = _checked(loss_sums_a, tokens)
    b, _ = _checked(loss_sums_b, tokens)
    low, high = _percentiles(a - b, counts, resamples, seed)
    return float((a - b).sum() / counts.sum()), low, high


def _checked(loss_sums: Floats, tokens: Counts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sums, counts = np.asarray(loss_sums, dtype=np.float64), np.asarray(tokens, dtype=np.float64)
    if sums.ndim != 1 or sums.shape != counts.shape or not sums.size:
        raise ValueError(f"one loss and one number of tokens a row are needed, not {sums.shape} and {counts.shape}")
    if (counts <= 0).any():
        raise ValueError("a row without tokens has no loss")
    return sums, counts


def _percentiles(
    sums: NDArray[np.float64], counts: NDArray[np.float64], resamples: int, seed: int
) -> tuple[Bound, Bound]:
    if sums.size == 1:
        return None, None
    means = np.concatenate(
        [sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1) for drawn in _draws(sums.size, resamples, seed)]
    )
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _draws(rows: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Indices of rows drawn with replacement, in pieces of shape (resamples, rows)."""
    generator = np.random.default_rng(seed)
    at_once = max(1, _DRAWN_AT_ONCE // rows)
    for start in range(0, resamples, at_once):
        yield generator.integers(rows, size=(min(at_once, resamples - start), rows))
