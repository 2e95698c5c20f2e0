"""A judge that is asked in both orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.preference import pairwise
from tuner.preference.metrics import Comparisons
from tuner.preference.pairwise import Comparison


class Scripted:
    """A judge whose verdicts follow from the texts: it adds a preference for the first place to what it thinks."""

    def __init__(self, first: float, worth=len) -> None:
        self.first, self.worth, self.asked = first, worth, []

    def likelihoods(self, asked, words, batch_size, on_rows):
        assert list(words) == ["A", "B"]
        self.asked = asked
        texts = [(each.split("<answer A>\n")[1], each.split("<answer B>\n")[1]) for each in asked]
        firsts = [self.worth(a.split("\n</answer")[0]) for a, _ in texts]
        seconds = [self.worth(b.split("\n</answer")[0]) for _, b in texts]
        return np.array([[a + self.first, b] for a, b in zip(firsts, seconds, strict=True)], dtype=float)


def compare(judge, *texts):
    return pairwise.compare(judge, ["Why?"], [list(enumerate(texts))], 8, lambda done: None)


def test_every_two_are_compared_in_both_orders():
    judge = Scripted(0)
    found = compare(judge, "a", "bb", "ccc")
    assert [(each.one, each.other, each.better) for each in found] == [(0, 1, 1), (0, 2, 2), (1, 2, 2)]
    assert len(judge.asked) == 6 and len(set(judge.asked)) == 6


@pytest.mark.parametrize(("first", "better"), [(0, 1), (1.5, 1), (5, None), (-5, None)])
def test_a_verdict_counts_only_if_both_orders_give_it(first, better):
    (comparison,) = compare(Scripted(first), "a", "ccc")
    assert comparison.better == better


def test_a_judge_that_looks_at_the_place_alone_ties_everything_and_is_counted_as_such():
    found = compare(Scripted(100), "a", "bb", "ccc")
    counted = pairwise.counted(found, 5)
    assert counted == Comparisons(compared=3, agreed=0, first=6, unread=0, parameters=5)
    assert counted.agreement == 0 and counted.first_share == 1 and counted.is_weak
    assert pairwise.win_rates(found, range(3)) == {0: 0.5, 1: 0.5, 2: 0.5}


def test_the_score_is_the_rate_of_wins_and_a_tie_is_half_of_one():
    found = compare(Scripted(1.5), "a", "bb", "cccc")
    assert pairwise.win_rates(found, range(3)) == {0: 0.25, 1: 0.25, 2: 1.0}
    assert pairwise.beaten(found, 2) == [0, 1] and pairwise.beaten(found, 0) == []


def test_what_the_judge_cannot_read_gives_no_score():
    found = compare(Scripted(0, worth=lambda text: len(text) if len(text) < 9 else float("nan")), "a", "bb", "c" * 9)
    assert [each.better for each in found] == [1, None, None]
    assert pairwise.win_rates(found, range(3)) == {0: 0.0, 1: 1.0, 2: None}
    assert pairwise.counted(found, 1).unread == 2


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=3, max_size=3))
def test_who_is_better_does_not_hang_on_who_is_named_first(ahead):
    pairs = [(0, 1), (0, 2), (1, 2)]
    found = [Comparison(0, *pair, each) for pair, each in zip(pairs, ahead, strict=True)]
    mirrored = [Comparison(0, each.other, each.one, (-each.ahead[1], -each.ahead[0])) for each in found if each.ahead]
    assert [each.better for each in mirrored] == [each.better for each in found]
    rates = pairwise.win_rates(found, range(3))
    assert rates == pairwise.win_rates(mirrored, range(3))
    assert sum(rate or 0 for rate in rates.values()) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("agreed", "parameters", "weak"), [(90, 8 * 10**9, False), (60, 8 * 10**9, True), (90, 135 * 10**6, True)]
)
def test_a_judge_is_weak_if_it_is_small_or_changes_its_mind(agreed, parameters, weak):
    assert Comparisons(compared=100, agreed=agreed, first=100, unread=0, parameters=parameters).is_weak is weak
