"""How sure a held-out loss is: intervals and p-values over rows, paired for differences.

The loss of a set of rows is token-weighted: R = sum of the rows' losses (nats) / sum of their tokens. Rows are what was
sampled, the tokens of one response depend on each other, so the number of rows decides how sure R is. R is the mean of
the rows' losses per token x, weighted by the rows' shares p of all tokens.

- Interval: R -+ t * s. s^2 = sum of p^2 * (x - R)^2 / (1 - p), which is unbiased where every token adds as much to the
  variance of its row's loss; t is Student's quantile at the degrees of freedom that give s^2 the spread that it then
  has (Satterthwaite). With rows of equal length these are the standard error and the rows - 1 degrees of freedom of the
  t-test; a few long rows among short ones count as few. It is the regression of the rows' losses on their tokens,
  weighted by 1 / tokens, with the errors of Bell and McCaffrey, Bias Reduction in Standard Errors for Linear Regression
  with Multi-Stage Samples, Survey Methodology 28 (2002): a row's leverage is p.
- p-value: how often the difference would be as far from 0 as it is, were the signs of the rows' differences thrown by a
  coin: of all 2^rows throws for up to 16 rows, of as many random ones as there are for 16 beyond. Good, Permutation,
  Parametric and Bootstrap Tests of Hypotheses (2005), section 3.2.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
FEWEST_ROWS = 20
"""With fewer rows no subject is called better or worse: the interval is right on average over many such sets of rows,
but one of so few says little of the next."""

_EXACT_ROWS = 16
_THROWS = 1 << _EXACT_ROWS
# Signs held at once, 8 bytes each: bounds the memory whatever the number of rows.
_HELD_AT_ONCE = 1 << 20

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
        The low and the high end, in nats per token. With a single row both are None: it says nothing of how rows
        differ.

    Raises:
        ValueError: If there is no row, the lengths differ, or a row has no tokens.
    """
    return _interval(*_checked(loss_sums, tokens))


def difference(loss_sums_a: Floats, loss_sums_b: Floats, tokens: Counts, seed: int) -> Difference:
    """The loss of a minus the loss of b on the same rows.

    Paired: what makes a row hard for both cancels.

    Args:
        loss_sums_a: The loss of a on every row, summed over its tokens, shape (rows,).
        loss_sums_b: The loss of b, likewise.
        tokens: The tokens of every row, the same for both, shape (rows,).
        seed: Decides the throws of the sign-flip test where not all are made.

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
    # Twice the squared mean of s^2 over its variance, for normal rows whose variance is that of their tokens.
    degrees = 1 / ((shares**2).sum() - (weights**2).sum() + weights.sum() ** 2)
    reach = float(t.ppf((1 + LEVEL) / 2, degrees) * error)
    return float(ratio) - reach, float(ratio) + reach


def _p(differences: NDArray[np.float64], seed: int) -> float:
    seen = abs(differences.sum())
    # What differs by rounding alone is as far from 0.
    seen -= 1e-12 * np.abs(differences).sum()
    as_far = sum(int((np.abs(signs @ differences) >= seen).sum()) for signs in _throws(differences.size, seed))
    if differences.size <= _EXACT_ROWS:
        return as_far / 2**differences.size
    return (as_far + 1) / (_THROWS + 1)  # the throw that was seen is one of them


def _throws(rows: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Signs in pieces of shape (throws, rows): every combination, or random ones."""
    if rows <= _EXACT_ROWS:
        yield _signs(np.arange(1 << rows)[:, None] >> np.arange(rows) & 1)
        return
    generator = np.random.default_rng(seed)
    at_once = max(1, _HELD_AT_ONCE // rows)
    for start in range(0, _THROWS, at_once):
        yield _signs(generator.integers(2, size=(min(at_once, _THROWS - start), rows)))


def _signs(bits: NDArray[np.int64]) -> NDArray[np.float64]:
    return 1.0 - 2.0 * bits.astype(np.float64)
