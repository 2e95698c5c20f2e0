"""Races on resampled sweeps: a part of the trials, and rows drawn with replacement."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.racing.curves import Curves, Floats, mean
from tuner.training.sweeps import bounds
from tuner.training.sweeps.racing import ALPHA, LAG, stops

CLOSE = 0.005
"""How much larger than the lowest, as a share, the loss of a winner may be."""

PART = 0.75
"""The share of a sweep's trials that a simulated sweep has."""

Rule = Callable[[Floats, Floats, Sequence[float], list[int]], list[int]]
"""The trials that are stopped, given the arguments of `stops`."""


def lagging(lag: float = LAG) -> Rule:
    """The race of sweeps, with a lag."""
    return lambda losses, tokens, shares, running: [
        stop.trial for stop in stops(losses, tokens, shares, running, lag=lag)
    ]


def extrapolated(losses: Floats, tokens: Floats, shares: Sequence[float], running: list[int]) -> list[int]:
    """Stops what would surely not come to the leader's loss if it went on as fast as in its last leg."""
    if len(shares) < 2:
        return []
    last, now = losses[:, -2], losses[:, -1]
    legs = (1 - shares[-1]) / (shares[-1] - shares[-2])
    gains = np.where(mean(last, tokens)[:, None] > mean(now, tokens)[:, None], last - now, 0)
    leader = _leader(losses, tokens, running)
    error = bounds.level(ALPHA, len(shares) - 1, len(losses) - 1)
    with np.errstate(invalid="ignore"):
        lows = bounds.lower(now - legs * gains - now[leader], tokens, error)
    return [trial for trial in running if trial != leader and not lows[trial] <= 0]


def halved(losses: Floats, tokens: Floats, shares: Sequence[float], running: list[int]) -> list[int]:
    """Stops the worse half (successive halving, Jamieson and Talwalkar 2016), whatever the rows say."""
    order = sorted(running, key=lambda trial: mean(losses[trial, -1], tokens))
    return order[(len(order) + 1) // 2 :]


RULES: dict[str, Rule] = {
    "none, the whole sweep": lambda losses, tokens, shares, running: [],
    "surely behind now (lag 1)": lagging(1),
    "lag 1.25": lagging(1.25),
    f"lag {LAG:g}, the rule": lagging(),
    "lag 2": lagging(2),
    "lag 3": lagging(3),
    "extrapolated from the last leg": extrapolated,
    "successive halving": halved,
}


@dataclass(frozen=True)
class Outcome:
    """What came of simulated sweeps; shares of them.

    Attributes:
        best: The winner is close to the best trial, by the loss on all rows.
        same: The winner is close to that of the whole sweep, by the loss on the rows drawn.
        saved: The mean share of tokens that were not trained on.
        worst: The largest share by which the winner's loss was above the lowest, by the loss on all rows.
    """

    best: float
    same: float
    saved: float
    worst: float


def race(losses: Floats, tokens: Floats, shares: Sequence[float], rule: Rule) -> tuple[int, float]:
    """The winner of a race, and the share of the tokens of a whole sweep that it took."""
    running = list(range(len(losses)))
    ends = np.ones(len(losses))
    for look in range(1, len(shares) - 1):  # not at the untrained student, nor at the end
        if len(running) < 2:
            break
        for trial in rule(losses[:, 1 : look + 1], tokens, shares[1 : look + 1], running):
            ends[trial] = shares[look]
            running.remove(trial)
    if not running:
        return 0, float(ends.mean())
    return _leader(losses, tokens, running), float(ends.mean())


def simulate(curves: Curves, rule: Rule, sweeps: int, seed: int = 0) -> Outcome:
    """Races many sweeps that are resampled from one.

    Args:
        curves: Those of the whole sweep.
        rule: Who is stopped.
        sweeps: Their number.
        seed: Decides the trials and rows, which are the same for every rule.
    """
    random = np.random.default_rng(seed)
    trials, _, rows = curves.losses.shape
    best, same, saved, excess = [], [], [], []
    for _ in range(sweeps):
        some = np.sort(random.choice(trials, max(2, round(PART * trials)), replace=False))
        drawn = random.integers(rows, size=rows)
        losses, tokens, final = curves.losses[some][:, :, drawn], curves.tokens[drawn], curves.final[some]
        winner, taken = race(losses, tokens, curves.shares, rule)
        ends = mean(losses[:, -1], tokens)
        best.append(final[winner] <= (1 + CLOSE) * final.min())
        same.append(ends[winner] <= (1 + CLOSE) * ends.min())
        saved.append(1 - taken)
        excess.append(final[winner] / final.min() - 1)
    return Outcome(
        best=float(np.mean(best)),
        same=float(np.mean(same)),
        saved=float(np.mean(saved)),
        worst=float(np.max(excess)),
    )


def _leader(losses: Floats, tokens: Floats, running: Sequence[int]) -> int:
    return min(running, key=lambda trial: (mean(losses[trial, -1], tokens), trial))
