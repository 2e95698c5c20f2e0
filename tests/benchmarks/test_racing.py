"""The race's benchmark: its file of curves, how a race is replayed, and what is counted."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.racing import curves
from benchmarks.racing.curves import Curves
from benchmarks.racing.simulation import RULES, race, simulate

SHARES = (0.0, 0.0625, 0.125, 0.25, 0.5, 1.0)
WHOLE, NOW, RULE, HALVING = (
    "none, the whole sweep",
    "surely behind now (lag 1)",
    "lag 1.5, the rule",
    "successive halving",
)


def swept(*means: tuple[float, ...], name: str = "planted") -> Curves:
    """Trials with these losses per token at the looks."""
    random = np.random.default_rng(1)
    tokens = random.integers(5, 60, 40).astype(float)
    per_token = np.array(means)[:, :, None] + random.normal(0, 0.2, 40) + random.normal(0, 0.01, (len(means), 6, 40))
    return Curves(name, tuple(f"trial {number}" for number in range(len(means))), SHARES, tokens, per_token * tokens)


FAST = (4.0, 3.0, 2.6, 2.4, 2.3, 2.2)
SLOW = (4.0, 3.8, 3.6, 3.4, 3.3, 3.2)
LATE = (4.0, 3.1, 2.7, 2.45, 2.3, 2.0)
"""Behind at first, and the winner."""


def test_curves_survive_the_file(tmp_path: Path) -> None:
    sweeps = [swept(FAST, SLOW), swept(FAST, LATE, SLOW, name="another")]
    sweeps[1].losses[2, 3:] = np.nan
    curves.write(sweeps, tmp_path / "curves.parquet")
    for found, written in zip(curves.read(tmp_path / "curves.parquet"), sweeps, strict=True):
        assert (found.sweep, found.trials, found.shares) == (written.sweep, written.trials, SHARES)
        assert found.tokens.tolist() == written.tokens.tolist()
        assert found.losses == pytest.approx(written.losses, rel=1e-6, nan_ok=True)


def test_a_race_takes_the_tokens_up_to_where_trials_are_stopped() -> None:
    sweep = swept(FAST, SLOW)
    assert race(sweep.losses, sweep.tokens, SHARES, RULES[WHOLE]) == (0, 1.0)
    assert race(sweep.losses, sweep.tokens, SHARES, RULES[RULE]) == (0, (1 + 0.125) / 2)


def test_only_a_patient_rule_finds_a_winner_that_comes_late() -> None:
    sweep = swept(FAST, LATE, SLOW, SLOW)
    assert race(sweep.losses, sweep.tokens, SHARES, RULES[RULE])[0] == 1
    assert race(sweep.losses, sweep.tokens, SHARES, RULES[NOW])[0] == 0


@pytest.mark.parametrize("rule", [WHOLE, RULE, HALVING])
def test_a_diverged_trial_does_not_win(rule: str) -> None:
    sweep = swept(FAST, LATE)
    sweep.losses[1, 2:] = np.nan
    assert race(sweep.losses, sweep.tokens, SHARES, RULES[rule])[0] == 0


def test_what_is_counted() -> None:
    sweep = swept(FAST, LATE, SLOW, SLOW)
    whole = simulate(sweep, RULES[WHOLE], 20)
    assert (whole.same, whole.best, whole.saved, whole.worst) == (1, 1, 0, 0)
    hasty = simulate(sweep, RULES[NOW], 20)
    assert hasty.same < 1 and hasty.worst == pytest.approx(0.1, abs=0.01) and hasty.saved > 0.5
