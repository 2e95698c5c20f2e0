"""The race between the trials of a sweep: which of them are stopped at a look, and why.

Two things are uncertain when a trial is behind. Whether it is behind on other rows too: that is what the bounds of
`bounds` are for. And whether it will still be behind at the end, of which the rows say nothing: curves cross, since
large rates are noisy until they decay and small ones learn slowly. To extrapolate a trial's loss from its own last legs
does not help, since the gains of a slow one grow before they shrink. What is measured is how far it lags: a trial is
stopped when its loss is surely above the one that the leader had with 1 / `LAG` of the tokens. So the assumption is

    the trial that wins never needs more than `LAG` times the tokens of another trial to come to the same loss,

the steps before the first look aside, in which large rates may throw a trial back before it recovers: nothing is
compared with them, so that the first look stops only what diverged. Under the assumption, for independent rows, the
trial that is best on the population of rows is stopped with probability `ALPHA` at most in the whole race.
`python -m benchmarks.racing` measures how often winners are kept on recorded sweeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tuner.training.sweeps import bounds
from tuner.training.sweeps.bounds import Floats

ALPHA = 0.05
"""The probability that the best trial is stopped for the choice of the tuning rows."""

LAG = 1.5
"""How many times the tokens a trial may need, compared with the leader, and still win."""


@dataclass(frozen=True)
class Stop:
    """A trial that is stopped, with the figures that say why.

    Attributes:
        trial: Its number.
        reason: `diverged`, its losses are not finite; `behind`, its loss is above what the leader's was before.
        share: The share of its training that was done, 0 to 1.
        loss: Its loss, in nats per token; None if it diverged. So are all that follow.
        leader: The number of the trial with the lowest loss.
        leader_share: The share of the training from which the leader's loss is taken.
        leader_loss: The leader's loss then; between two looks it is interpolated.
        low: The lower bound of `loss` minus `leader_loss`, above 0.
        error: The probability with which that bound may be wrong.
    """

    trial: int
    reason: Literal["diverged", "behind"]
    share: float
    loss: float | None = None
    leader: int | None = None
    leader_share: float | None = None
    leader_loss: float | None = None
    low: float | None = None
    error: float | None = None

    def __str__(self) -> str:
        """The reason in words; trials are numbered from 1."""
        if self.loss is None or self.leader is None:
            return f"diverged: its loss was not finite after {self.share:.0%} of the training"
        return (
            f"behind: its loss of {self.loss:.4f} after {self.share:.0%} of the training is at least {self.low:.4f} "
            f"above the {self.leader_loss:.4f} that trial {self.leader + 1} had after {self.leader_share:.0%}"
        )


def stops(
    losses: Floats,
    tokens: NDArray[np.integer] | Floats,
    shares: Sequence[float],
    running: Sequence[int],
    alpha: float = ALPHA,
    lag: float = LAG,
) -> tuple[Stop, ...]:
    """The trials to be stopped at the last look of `losses`.

    The leader, the trial with the lowest loss, is never stopped; of equal ones the lowest number leads. If all losses
    are infinite, all trials are stopped.

    Args:
        losses: Of all trials, at all looks so far, on every tuning row, summed over the row's tokens in nats, shape
            (trials, looks, rows). What is not known, since a trial was stopped, may be anything.
        tokens: Scored tokens of every row, shape (rows,).
        shares: The share of the training that was done at each look, above 0 and ascending, shape (looks,).
        running: The numbers of the trials that were trained until the last look.
        alpha: See `ALPHA`.
        lag: See `LAG`; 1 stops whatever is surely behind now.

    Returns:
        The stops by the trials' numbers.

    Raises:
        ValueError: If shapes do not match, or the shares do not ascend.
    """
    counts = _checked(losses, tokens, shares, lag)
    last = losses[:, -1]
    finite = [trial for trial in sorted(running) if np.isfinite(last[trial]).all()]
    diverged = [Stop(trial, "diverged", shares[-1]) for trial in sorted(running) if trial not in finite]
    if not finite:
        return tuple(diverged)
    present = last[finite].sum(axis=1) / counts.sum()
    leader = finite[int(present.argmin())]
    share = shares[-1] / lag
    comparing = sum(each / lag >= shares[0] for each in shares)
    before = _at(losses[leader], shares, share) if comparing else np.full_like(counts, np.nan)
    if not np.isfinite(before).all():  # nothing is known of the leader then, or it had diverged and recovered
        return tuple(diverged)
    error = bounds.level(alpha, comparing, losses.shape[0] - 1)
    lows = bounds.lower(last[finite] - before, counts, error)
    behind = [
        Stop(
            trial,
            "behind",
            shares[-1],
            loss=float(loss),
            leader=leader,
            leader_share=share,
            leader_loss=float(before.sum() / counts.sum()),
            low=float(low),
            error=error,
        )
        for trial, loss, low in zip(finite, present, lows, strict=True)
        if low > 0 and trial != leader
    ]
    return tuple(sorted([*diverged, *behind], key=lambda stop: stop.trial))


def _at(curve: Floats, shares: Sequence[float], share: float) -> Floats:
    """The losses of a trial between two looks, shape (rows,).

    On the straight line between them. Curves fall ever more slowly, so that the line lies above them: the leader is
    taken to have been no better than it was.
    """
    after = int(np.searchsorted(shares, share))
    if shares[after] == share:
        return curve[after]
    part = (share - shares[after - 1]) / (shares[after] - shares[after - 1])
    return (1 - part) * curve[after - 1] + part * curve[after]


def _checked(losses: Floats, tokens: NDArray[np.integer] | Floats, shares: Sequence[float], lag: float) -> Floats:
    counts = np.asarray(tokens, dtype=np.float64)
    if losses.ndim != 3 or losses.shape[1:] != (len(shares), counts.size) or not shares:
        raise ValueError(
            f"losses of shape (trials, looks, rows) are needed, not {losses.shape} for {len(shares)} looks and "
            f"{counts.shape} tokens"
        )
    if (counts <= 0).any():
        raise ValueError("a row without tokens has no loss")
    if shares[0] <= 0 or (np.diff(shares) <= 0).any():
        raise ValueError(f"the shares of the looks are above 0 and ascend, unlike {list(shares)}")
    if lag < 1:
        raise ValueError(f"a lag below 1, such as {lag:g}, would compare with the leader's future")
    return counts
