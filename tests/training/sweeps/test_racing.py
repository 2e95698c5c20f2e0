"""Which trials a look stops: on planted curves, and as properties of any losses."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tuner.training.sweeps.bounds import Floats, level, lower
from tuner.training.sweeps.racing import Stop, stops

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
TOKENS = np.array([5, 40, 20, 11, 30, 8, 64, 25, 17, 12, 33, 21, 9, 50, 16, 28])


def curves(*means: tuple[float, ...], noise: float = 0.02) -> Floats:
    """The losses of trials with these losses per token at the looks, on rows that differ."""
    random = np.random.default_rng(1)
    per_token = np.array(means)[:, :, None] + random.normal(0, 0.3, TOKENS.size)  # a row is hard for all trials
    return (per_token + noise * random.standard_normal(per_token.shape)) * TOKENS


def stopped(losses: Floats, running: Any = None, shares: Any = SHARES, **kwargs: Any) -> list[int]:
    found = stops(losses, TOKENS, shares, range(len(losses)) if running is None else running, **kwargs)
    return [stop.trial for stop in found]


FAST = (4.0, 3.0, 2.5, 2.2)


def test_a_trial_is_stopped_where_the_leader_was_better_with_two_thirds_of_the_tokens() -> None:
    # After half of the training the leader is at 2.2; after a third, on the line between looks, it was at 2.4.
    assert stopped(curves(FAST, (4.0, 3.4, 2.8, 2.5))) == [1]


def test_a_trial_is_not_stopped_for_being_surely_behind_now() -> None:
    losses = curves(FAST, (4.0, 3.2, 2.6, 2.3))
    assert lower((losses[1] - losses[0])[-1:], TOKENS, 1e-6)[0] > 0
    assert stopped(losses) == []
    assert stopped(losses, lag=1) == [1]


def test_a_trial_is_not_stopped_where_the_rows_do_not_say_it_surely() -> None:
    slow = (4.0, 3.4, 2.8, 2.5)
    assert stopped(curves(FAST, slow, noise=1.0)) == []
    assert stopped(curves(FAST, slow, noise=0.02)) == [1]


def test_the_first_look_stops_nobody_for_being_behind() -> None:
    # After a twelfth of the training, between the looks, the leader was at 3.67.
    losses = curves((4.0, 3.0), (4.0, 3.2), (9.0, 3.8))
    assert stopped(losses[:, :1], shares=SHARES[:1]) == []
    assert stopped(losses, shares=SHARES[:2]) == [2]


def test_the_first_look_that_compares_may_err_with_half_of_alpha() -> None:
    losses = curves((4.0, 3.0), (9.0, 3.8))
    assert [stop.error for stop in stops(losses, TOKENS, SHARES[:2], [0, 1])] == [0.05 / 2]


def test_a_trial_that_diverged_is_stopped_whatever_its_rows_were() -> None:
    losses = curves(FAST, FAST, FAST)
    losses[1, -1, 3] = np.inf
    losses[2, -1] = np.nan
    first, second = stops(losses, TOKENS, SHARES, range(3))
    assert first == Stop(1, "diverged", 1 / 2)
    assert str(second) == "diverged: its loss was not finite after 50% of the training"


def test_a_leader_that_had_diverged_before_stops_nobody() -> None:
    losses = curves(FAST, (4.0, 3.4, 2.8, 2.5))
    losses[0, 2] = np.inf
    assert stopped(losses) == []


def test_all_trials_can_diverge() -> None:
    assert stopped(np.full((2, 4, TOKENS.size), np.nan)) == [0, 1]


def test_a_stopped_trial_is_asked_no_more_but_still_counts_as_a_rival() -> None:
    losses = curves(FAST, (4.0, 3.4, 2.8, 2.5), (4.0, 1.0, 0.5, 0.1))
    losses[2, -1] = np.nan
    (stop,) = stops(losses, TOKENS, SHARES, [0, 1])
    assert (stop.trial, stop.leader) == (1, 0)
    assert stop.error == level(0.05, 3, 2) == 0.05 / 12 / 2


def test_the_reason_says_it_in_figures() -> None:
    (stop,) = stops(curves(FAST, (4.0, 3.4, 2.8, 2.5), noise=0), TOKENS, SHARES, [0, 1])
    mean = float(curves((0.0,), noise=0).sum() / TOKENS.sum())
    assert str(stop) == (
        f"behind: its loss of {2.5 + mean:.4f} after 50% of the training is at least 0.1000 above the "
        f"{2.4 + mean:.4f} that trial 1 had after 33%"
    )


def test_of_equal_trials_the_lowest_number_leads() -> None:
    behind = (4.0, 3.4, 2.8, 2.5)
    losses = curves(behind, FAST, FAST)
    losses[2] = losses[1]
    assert [stop.leader for stop in stops(losses, TOKENS, SHARES, range(3))] == [1]


@pytest.mark.parametrize(
    ("shape", "shares", "tokens", "message"),
    [
        ((2, 3, 16), SHARES, TOKENS, r"are needed, not \(2, 3, 16\) for 4 looks"),
        ((2, 0, 16), (), TOKENS, "for 0 looks"),
        ((2, 4, 15), SHARES, TOKENS, r"not \(2, 4, 15\) for 4 looks and \(16,\) tokens"),
        ((2, 4, 16), (0, 0.2, 0.3, 0.4), TOKENS, "above 0 and ascend"),
        ((2, 4, 16), (0.1, 0.5, 0.2, 1), TOKENS, "above 0 and ascend"),
        ((2, 4, 16), SHARES, TOKENS * 0, "a row without tokens"),
    ],
)
def test_what_does_not_fit_together_is_refused(shape: Any, shares: Any, tokens: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stops(np.ones(shape), tokens, shares, [0, 1])


@st.composite
def races(draw: st.DrawFn) -> tuple[Floats, Floats]:
    trials, rows = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    losses = arrays(np.float64, (trials, 4, rows), elements=st.floats(0.1, 20) | st.just(np.nan) | st.just(np.inf))
    tokens = arrays(np.float64, (rows,), elements=st.integers(1, 50).map(float))
    return draw(losses), draw(tokens)


@settings(max_examples=150, deadline=None)
@given(races(), st.randoms(use_true_random=False))
def test_any_race(race: tuple[Floats, Floats], random: Any) -> None:
    losses, tokens = race
    trials, rows = list(range(losses.shape[0])), list(range(losses.shape[2]))
    usual = {stop.trial for stop in stops(losses, tokens, SHARES, trials)}
    finite = {trial for trial in trials if np.isfinite(losses[trial, -1]).all()}
    # A trial that has not diverged stays, the best of them.
    assert not finite or finite - usual
    if len(finite) == 1:
        assert not finite & usual
    # The unit of the loss does not matter: powers of two are exact.
    assert {stop.trial for stop in stops(losses * 4, tokens, SHARES, trials)} == usual
    # A larger error stops no fewer.
    assert usual <= {stop.trial for stop in stops(losses, tokens, SHARES, trials, alpha=0.5)}
    # Nor does more haste.
    random.shuffle(trials)
    random.shuffle(rows)
    leaders = losses[sorted(finite), -1].sum(axis=1)
    if len(set(np.round(leaders, 6))) == len(leaders):  # else the order decides who leads
        swapped = stops(losses[trials][:, :, rows], tokens[rows], SHARES, range(len(trials)), alpha=0.05)
        assert {trials[stop.trial] for stop in swapped} == usual


def lengths(random: np.random.Generator, rows: int) -> Floats:
    """Response lengths in tokens: log-normal, as for chat models."""
    return np.clip(np.exp(random.normal(4.6, 0.7, rows)), 5, 1024).round()


NOISES = {
    "normal": lambda random, shape: random.normal(0, 1, shape),
    "heavy-tailed": lambda random, shape: random.standard_t(3, shape),
    "skewed to the right": lambda random, shape: random.exponential(1, shape) - 1,
    "skewed to the left": lambda random, shape: 1 - random.exponential(1, shape),
}


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("trials", [2, 16])
def test_the_best_trial_is_stopped_in_5_percent_of_races_at_most(kind: str, trials: int) -> None:
    """The hardest case: trial 0 is as good at every look as every rival was with two thirds of the tokens."""
    random, errors, races = np.random.default_rng(1), 0, 400
    means = np.array([4.0, 3.0, 2.5, 2.2])
    past = np.interp(np.array(SHARES) / 1.5, SHARES, means)
    for _ in range(races):
        tokens = lengths(random, 40)
        per_token = means[None, :, None] + 0.3 * NOISES[kind](random, (trials, 1, 40)) + np.zeros((1, 4, 1))
        per_token = per_token + 0.1 * NOISES[kind](random, (trials, 4, 40))
        per_token[0] += (past - means)[:, None]
        losses = per_token * tokens
        errors += any(
            0 in {stop.trial for stop in stops(losses[:, : look + 1], tokens, SHARES[: look + 1], range(trials))}
            for look in (0, 1, 2, 3)
        )
    # 400 races at 5 % have a standard deviation of 1.1 %.
    assert errors / races <= 0.05 + 0.033


def test_the_errors_of_all_looks_add_up_to_alpha() -> None:
    assert sum(level(0.05, look, 1) for look in range(1, 10_000)) == pytest.approx(0.05, rel=1e-3)
    assert level(0.05, 1, 15) == 0.05 / 2 / 15


def test_bounds_of_rows_of_equal_length_are_those_of_the_t_test() -> None:
    import scipy.stats

    differences = np.random.default_rng(3).normal(0.1, 0.3, (2, 40))
    test: Any = scipy.stats.ttest_1samp(differences, 0, axis=1, alternative="greater")
    assert lower(differences * 50, np.full(40, 50.0), 0.01) == pytest.approx(test.confidence_interval(0.99).low)


def test_a_single_row_bounds_nothing() -> None:
    assert lower(np.array([[3.0]]), np.array([2.0]), 0.05).tolist() == [-np.inf]
