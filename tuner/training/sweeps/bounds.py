"""How sure a paired difference of losses is, over the tuning rows, at one look and over all looks.

The tuning rows are a sample, and all of them are scored at every look: a look brings no new rows, but new losses of the
same ones. So the looks are no stages of a growing sample, which confidence sequences are made for (Howard et al. 2021,
arXiv 1810.08240; Waudby-Smith et al. 2021, arXiv 2103.06476), and no martingale joins them. What holds for looks that
depend on each other in any way is the union bound: look k may err with probability alpha / (k (k + 1)), which adds up
to alpha over any number of looks, however many there will be and whenever the race ends.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def level(alpha: float, look: int, rivals: int) -> float:
    """The probability with which a look may stop the best trial in error because of one given rival.

    A trial is compared with whichever rival leads. Since the same losses say who leads, the bound must hold for every
    rival: multiple comparisons with the best (Hsu 1981, Simultaneous confidence intervals for all distances from the
    "best", Annals of Statistics 9), by Bonferroni's inequality. Only the best trial can be stopped in error, so that
    the number of trials that are tested needs no further correction. Holm's procedure over the trials begins with the
    same level and then allows more, but is proven for a leader that is given.

    Args:
        alpha: The probability of an error in the whole race.
        look: The number of the look, from 1; of those that compare trials.
        rivals: All trials of the sweep but one, running or not.
    """
    return alpha / (look * (look + 1)) / max(1, rivals)


def lower(differences: Floats, tokens: Floats, error: float) -> Floats:
    """Lower bounds of token-weighted differences.

    Student's t on rows weighted by their tokens, as in `tuner.evaluation.statistics`: R is the sum of the rows'
    differences over the sum of their tokens, s^2 = sum of p^2 (x - R)^2 / (1 - p) with a row's share p of all tokens
    and its difference per token x, and the degrees of freedom those of s^2 (Satterthwaite). It assumes that rows are
    independent (turns of one conversation are to be added up to one row before) and their differences not much skewed
    to the left: a trial that is far better on a few rows only can be bounded from too few of them.

    Args:
        differences: Summed over each row's tokens, in nats, shape (trials, rows).
        tokens: Of every row, shape (rows,).
        error: The probability with which a bound may lie above the truth.

    Returns:
        The bounds in nats per token, shape (trials,); minus infinity from a single row.
    """
    from scipy.stats import t

    if tokens.size < 2:
        return np.full(differences.shape[0], -np.inf)
    shares = tokens / tokens.sum()
    means = differences.sum(axis=1) / tokens.sum()
    weights = shares**2 / (1 - shares)
    deviations = np.sqrt((differences / tokens - means[:, None]) ** 2 @ weights)
    degrees = 1 / ((shares**2).sum() - (weights**2).sum() + weights.sum() ** 2)
    return means - float(t.isf(error, degrees)) * deviations
