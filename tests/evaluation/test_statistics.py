"""Intervals against simulations whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.evaluation import statistics
from tuner.evaluation.statistics import difference, interval

LOSSES = [3.0, 8.0, 2.0, 9.0, 4.0]
TOKENS = [2, 4, 1, 3, 5]


def simulated(generator, rows):
    """Rows of unequal length whose expected loss a token is 2: a row's own level, and noise on every token."""
    tokens = generator.integers(10, 200, size=rows)
    return tokens * (2 + generator.normal(0, 0.5, size=rows)), tokens


def covered(trials, once):
    generator = np.random.default_rng(7)
    return sum(once(generator, trial) for trial in range(trials)) / trials


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    def once(generator, trial):
        low, high = interval(*simulated(generator, 200), 200, trial)
        return low <= 2 <= high

    # 1,500 trials at 95 % have a standard deviation of 0.6 %; percentile intervals cover slightly less than they say.
    assert 0.93 <= covered(1500, once) <= 0.965


def test_the_paired_interval_covers_a_true_difference_that_unpaired_ones_would_hide():
    def once(generator, trial):
        a, tokens = simulated(generator, 200)
        b = a - tokens * (0.02 + generator.normal(0, 0.02, size=200))
        _, low, high = difference(a, b, tokens, 200, trial)
        assert high - low < 0.02
        return low <= 0.02 <= high

    assert 0.93 <= covered(1500, once) <= 0.965


def test_the_loss_is_weighted_by_tokens():
    low, high = interval([10.0, 400.0], [10, 100], 1000, 0)
    # Two rows can only be drawn as (a, a), (a, b) or (b, b): means 1, 410/110 and 4.
    assert (low, high) == (1, 4)
    assert difference([10.0, 400.0], [0.0, 0.0], [10, 100], 1000, 0)[0] == pytest.approx(410 / 110)


def test_identical_subjects_differ_by_exactly_nothing():
    assert difference(LOSSES, LOSSES, TOKENS, 1000, 0) == (0, 0, 0)


def test_a_constant_gap_is_found_exactly():
    worse = [loss + 0.5 * tokens for loss, tokens in zip(LOSSES, TOKENS, strict=True)]
    assert difference(worse, LOSSES, TOKENS, 1000, 0) == pytest.approx((0.5, 0.5, 0.5))


def test_the_difference_turns_round_with_its_subjects():
    other = [2.5, 9.0, 2.0, 7.0, 4.5]
    gap, low, high = difference(LOSSES, other, TOKENS, 1000, 0)
    assert difference(other, LOSSES, TOKENS, 1000, 0) == pytest.approx((-gap, -high, -low))
    assert low < gap < high


def test_the_seed_decides_the_interval():
    assert interval(LOSSES, TOKENS, 500, 1) == interval(LOSSES, TOKENS, 500, 1)
    assert len({interval(LOSSES, TOKENS, 500, seed) for seed in range(4)}) > 1


def test_pieces_do_not_change_the_result(monkeypatch):
    whole = interval(LOSSES, TOKENS, 1000, 3)
    monkeypatch.setattr(statistics, "_DRAWN_AT_ONCE", 64)
    assert interval(LOSSES, TOKENS, 1000, 3) == whole


def test_a_single_row_has_a_difference_but_no_interval():
    assert interval([3.0], [2], 100, 0) == (None, None)
    assert difference([3.0], [1.0], [2], 100, 0) == (1.0, None, None)


@pytest.mark.parametrize(("sums", "tokens"), [([], []), ([1.0], [1, 2]), ([1.0, 2.0], [1, 0]), ([[1.0]], [[1]])])
def test_rows_without_tokens_or_in_the_wrong_shape_are_refused(sums, tokens):
    with pytest.raises(ValueError):
        interval(sums, tokens, 100, 0)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1e4), st.integers(1, 1000)), min_size=2, max_size=30), st.integers(0, 2**32))
def test_the_interval_lies_between_the_best_and_the_worst_row(rows, seed):
    sums, tokens = zip(*rows, strict=True)
    low, high = interval(sums, tokens, 100, seed)
    each = [loss / count for loss, count in rows]
    slack = 1e-9 * (1 + max(each))
    assert min(each) - slack <= low <= high <= max(each) + slack
