"""Confidence intervals and p-values of held-out losses over rows, paired for differences.

The loss of a set of rows is token-weighted: R = sum of the rows' losses (nats) / sum of their tokens, the mean of the
rows' losses per token x weighted by their shares p of all tokens. The rows are the sample: tokens of one response
depend on each other, so the number of rows decides the uncertainty of R.

- Interval: R -+ t * s. s^2 = sum of p^2 * (x - R)^2 / (1 - p), unbiased if the variance of a row's loss is proportional
  to its tokens; t is Student's quantile at the degrees of freedom of s^2 under that assumption (Satterthwaite). With
  rows of equal length these are the standard error and the rows - 1 degrees of freedom of the t-test; a few long rows
  among short ones count as few rows. It is the regression of the rows' losses on their tokens, weighted by 1 / tokens,
  with the standard errors of Bell and McCaffrey, Bias Reduction in Standard Errors for Linear Regression with
  Multi-Stage Samples, Survey Methodology 28 (2002): a row's leverage is p.
- p-value of the sign-flip test: the share of random signs of the rows' differences under which the total is at least
  as far from 0 as observed. All 2^rows combinations for up to 16 rows, 2^16 random ones beyond. Good, Permutation,
  Parametric and Bootstrap Tests of Hypotheses (2005), section 3.2.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
FEWEST_ROWS = 20
"""With fewer rows no subject is called better or worse: the interval covers the truth often enough on average, but a
single one from so few rows is unreliable."""

_EXACT_ROWS = 16
_FLIPS = 1 << _EXACT_ROWS
# Signs in memory at once, 8 bytes each.
_MAX_SIGNS = 1 << 20

Floats = Sequence[float] | NDArray[np.float64]
Counts = Sequence[int] | NDArray[np.int64]
Bound = float | None


@dataclass(frozen=True)
class Difference:
    """The loss of one subject minus that of another on the same rows.

    Attributes:
        value: The difference, in nats per token.
        low: The low end of its 95 % interval; None with a single row.
        high: The high end, likewise.
        p: Two-sided, of the sign-flip test.
    """

    value: float
    low: Bound
    high: Bound
    p: float


def interval(loss_sums: Floats, tokens: Counts) -> tuple[Bound, Bound]:
    """The 95 % interval of a token-weighted loss.

    Args:
        loss_sums: The loss of every row, summed over its tokens, shape (rows,).
        tokens: The tokens of every row, shape (rows,).

    Returns:
        The low and the high end, in nats per token. None for a single row, which has no
        variance.

    Raises:
        ValueError: If there is no row, the lengths differ, or a row has no tokens.
    """
    return _interval(*_checked(loss_sums, tokens))


def difference(loss_sums_a: Floats, loss_sums_b: Floats, tokens: Counts, seed: int) -> Difference:
    """The loss of a minus the loss of b on the same rows.

    Paired, so that the difficulty of a row cancels out.

    Args:
        loss_sums_a: The loss of a on every row, summed over its tokens, shape (rows,).
        loss_sums_b: The loss of b, likewise.
        tokens: The tokens of every row, the same for both, shape (rows,).
        seed: Of the random signs, where not all combinations are tried.

    Raises:
        ValueError: If there is no row, the lengths differ, or a row has no tokens.
    """
    a, counts = _checked(loss_sums_a, tokens)
    b, _ = _checked(loss_sums_b, tokens)
    low, high = _interval(a - b, counts)
    return Difference(float((a - b).sum() / counts.sum()), low, high, _p(a - b, seed))


def _checked(loss_sums: Floats, tokens: Counts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sums, counts = np.asarray(loss_sums, dtype=np.float64), np.asarray(tokens, dtype=np.float64)
    if sums.ndim != 1 or sums.shape != counts.shape or not sums.size:
        raise ValueError(f"one loss and one number of tokens a row are needed, not {sums.shape} and {counts.shape}")
    if (counts <= 0).any():
        raise ValueError("a row without tokens has no loss")
    return sums, counts


def _interval(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> tuple[Bound, Bound]:
    from scipy.stats import t

    if sums.size == 1:
        return None, None
    ratio = sums.sum() / counts.sum()
    shares = counts / counts.sum()
    weights = shares**2 / (1 - shares)
    error = np.sqrt((weights * (sums / counts - ratio) ** 2).sum())
    # Twice the squared mean of s^2 over its variance, for normal rows with variance proportional to their tokens.
    degrees = 1 / ((shares**2).sum() - (weights**2).sum() + weights.sum() ** 2)
    margin = float(t.ppf((1 + LEVEL) / 2, degrees) * error)
    return float(ratio) - margin, float(ratio) + margin


def _p(differences: NDArray[np.float64], seed: int) -> float:
    # Totals that differ by rounding alone count as equal.
    observed = abs(differences.sum()) - 1e-12 * np.abs(differences).sum()
    as_far = sum(int((np.abs(signs @ differences) >= observed).sum()) for signs in _sign_flips(differences.size, seed))
    if differences.size <= _EXACT_ROWS:
        return as_far / 2**differences.size
    return (as_far + 1) / (_FLIPS + 1)  # the observed signs are one more combination


def _sign_flips(rows: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Signs in batches of shape (combinations, rows): every combination, or random ones."""
    if rows <= _EXACT_ROWS:
        yield _signs(np.arange(1 << rows)[:, None] >> np.arange(rows) & 1)
        return
    generator = np.random.default_rng(seed)
    batch_size = max(1, _MAX_SIGNS // rows)
    for start in range(0, _FLIPS, batch_size):
        yield _signs(generator.integers(2, size=(min(batch_size, _FLIPS - start), rows)))


def _signs(bits: NDArray[np.int64]) -> NDArray[np.float64]:
    return 1.0 - 2.0 * bits.astype(np.float64)
