"""Intervals and p-values against simulations with a known truth, and against SciPy."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.present import present
from tuner.evaluation import statistics
from tuner.evaluation.statistics import difference, interval

LOSSES = [3.0, 8.0, 2.0, 9.0, 4.0]
TOKENS = [2, 4, 1, 3, 5]

Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]

DIFFERENCES: dict[str, Draw] = {
    "normal": lambda random, tokens: random.normal(0, 0.1, tokens.size),
    "heavy-tailed": lambda random, tokens: 0.05 * random.standard_t(3, tokens.size),
    "less varied in long rows": lambda random, tokens: random.normal(0, 1, tokens.size) / np.sqrt(tokens),
    "larger in short rows": lambda random, tokens: random.normal(0, 0.05, tokens.size) - 5 / tokens,
}
"""A row's difference in nats per token, from its number of tokens."""


def lengths(random: np.random.Generator, rows: int) -> np.ndarray:
    """Response lengths in tokens: log-normal, as for chat models."""
    return np.clip(np.exp(random.normal(4.6, 0.7, rows)), 5, 1024).round()


@pytest.mark.parametrize("rows", [9, 20, 30, 100])
@pytest.mark.parametrize("kind", DIFFERENCES)
def test_the_interval_covers_the_truth_95_percent_of_the_time(kind: str, rows: int) -> None:
    random, draw = np.random.default_rng(1), DIFFERENCES[kind]
    tokens = lengths(random, 1_000_000)
    truth = (draw(random, tokens) * tokens).sum() / tokens.sum()
    trials, covered = 2000, 0
    for _ in range(trials):
        tokens = lengths(random, rows)
        low, high = interval(draw(random, tokens) * tokens, tokens)
        covered += low <= truth <= high
    # 2,000 trials at 95 % have a standard deviation of 0.5 %.
    assert 0.93 <= covered / trials <= 0.975


def test_pairing_shows_a_difference_that_unpaired_intervals_would_hide() -> None:
    random = np.random.default_rng(2)
    tokens = lengths(random, 200)
    a = tokens * random.normal(2, 0.5, 200)
    result = difference(a, a - tokens * random.normal(0.02, 0.02, 200), tokens, 0)
    assert 0 < present(result.low) < 0.02 < present(result.high) < 0.04
    assert result.p < 0.001


def test_rows_of_equal_length_match_the_t_test() -> None:
    losses = np.random.default_rng(3).normal(0.1, 0.3, 40)
    test: Any = scipy.stats.ttest_1samp(losses, 0)
    result = difference(losses * 50, np.zeros(40), [50] * 40, 0)
    assert (result.low, result.high) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert result.p == pytest.approx(test.pvalue, abs=0.02)


def test_few_long_rows_among_short_ones_count_as_few_rows() -> None:
    x = np.array([1.0, 2.0, 3.0, 2.0, 1.0, 3.0, 2.0, 2.0])
    equal, unequal = np.full(8, 100), np.array([700, 700, 10, 10, 10, 10, 10, 10])
    intervals = [interval(x * tokens, tokens) for tokens in (equal, unequal)]
    widths = [present(high) - present(low) for low, high in intervals]
    assert widths[1] > 3 * widths[0]


def test_the_loss_is_weighted_by_tokens() -> None:
    result = difference([10.0, 400.0], [0.0, 0.0], [10, 100], 0)
    assert result.value == pytest.approx(410 / 110)
    low, high = interval([10.0, 400.0], [10, 100])
    assert present(low) < 410 / 110 < present(high)


@pytest.mark.parametrize("rows", [1, 2, 5, 9])
def test_the_p_value_of_few_rows_is_exact(rows: int) -> None:
    losses = np.random.default_rng(4).normal(0.4, 1, rows)
    observed = abs(losses.sum())
    as_far = [abs((np.array(signs) * losses).sum()) >= observed - 1e-9 for signs in product((1, -1), repeat=rows)]
    assert difference(losses, np.zeros(rows), [1] * rows, 0).p == pytest.approx(np.mean(as_far))


def test_without_a_difference_p_values_below_5_percent_occur_5_percent_of_the_time() -> None:
    random = np.random.default_rng(5)
    tokens = np.full(12, 10)
    p_values = [difference(random.normal(0, 1, 12), np.zeros(12), tokens, 0).p for _ in range(300)]
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_the_batch_size_does_not_change_the_p_value_of_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = np.random.default_rng(6).normal(0.05, 1, 60)
    whole = difference(losses, np.zeros(60), [1] * 60, 3).p
    assert difference(losses, np.zeros(60), [1] * 60, 3).p == whole
    monkeypatch.setattr(statistics, "_MAX_SIGNS", 60 * 1000)
    assert difference(losses, np.zeros(60), [1] * 60, 3).p == pytest.approx(whole, abs=0.01)


def test_identical_subjects_have_a_difference_of_exactly_zero() -> None:
    result = difference(LOSSES, LOSSES, TOKENS, 0)
    assert (result.value, result.low, result.high, result.p) == (0, 0, 0, 1)


def test_a_constant_difference_is_exact() -> None:
    worse = [loss + 0.5 * tokens for loss, tokens in zip(LOSSES, TOKENS, strict=True)]
    result = difference(worse, LOSSES, TOKENS, 0)
    assert (result.value, result.low, result.high) == pytest.approx((0.5, 0.5, 0.5))
    assert result.p == 2 / 2**5


def test_swapping_the_subjects_negates_the_difference() -> None:
    other = [2.5, 9.0, 2.0, 7.0, 4.5]
    forward, swapped = difference(LOSSES, other, TOKENS, 0), difference(other, LOSSES, TOKENS, 0)
    assert (swapped.value, swapped.low, swapped.high) == pytest.approx(
        (-forward.value, -present(forward.high), -present(forward.low))
    )
    assert swapped.p == forward.p


def test_a_single_row_has_a_difference_but_no_interval() -> None:
    assert interval([3.0], [2]) == (None, None)
    result = difference([3.0], [1.0], [2], 0)
    assert (result.value, result.low, result.high, result.p) == (1.0, None, None, 1.0)


@pytest.mark.parametrize(("sums", "tokens"), [([], []), ([1.0], [1, 2]), ([1.0, 2.0], [1, 0]), ([[1.0]], [[1]])])
def test_rows_without_tokens_or_in_the_wrong_shape_are_refused(sums, tokens) -> None:
    with pytest.raises(ValueError):
        interval(sums, tokens)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1e4), st.integers(1, 1000)), min_size=2, max_size=30))
def test_the_interval_contains_the_loss(rows) -> None:
    sums, tokens = zip(*rows, strict=True)
    low, high = interval(sums, tokens)
    loss = sum(sums) / sum(tokens)
    assert present(low) - 1e-9 * (1 + loss) <= loss <= present(high) + 1e-9 * (1 + loss)
