"""Which two candidates become a pair."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.columns.text import normalise
from tuner.preference.pairing import Candidate, choose, unusable

SCORES = st.lists(st.one_of(st.none(), st.floats(-100, 100)), max_size=12)
HOW = st.sampled_from(["near", "min"])


def test_only_whole_and_different_answers_are_usable():
    answers = [
        Candidate("Rivers  flow.", "stop"),
        Candidate("rivers flow.", "stop"),
        Candidate("Rivers flow to", "length"),
        Candidate(" ", "stop"),
        Candidate("", "skipped"),
        Candidate("They flow.", "stop"),
    ]
    assert unusable(answers) == ["", "repeated", "cut", "empty", "skipped", ""]


@given(st.lists(st.tuples(st.sampled_from(["a", "A ", "b", "", " "]), st.sampled_from(["stop", "length"]))))
def test_of_equal_answers_exactly_one_is_usable(drawn):
    faults = unusable([Candidate(*each) for each in drawn])
    used = [normalise(text) for (text, _), fault in zip(drawn, faults, strict=True) if not fault]
    assert len(set(used)) == len(used) and "" not in used
    assert set(used) == {normalise(text) for text, finish in drawn if finish == "stop" and text.strip()}


def test_the_best_stands_against_the_worst():
    choice = choose([1.0, 3.0, 2.0, -1.0], "min", 0.5)
    assert (choice.chosen, choice.rejected, choice.reason) == (1, 3, None)


def test_an_outlier_far_below_the_others_is_not_rejected_where_near_is_asked_for():
    scores = [1.0, 0.9, 0.8, 1.1, 1.0, 0.9, 0.95, 1.05, 0.5, -6.0]
    wanted = statistics.fmean(scores) - 2 * statistics.pstdev(scores)
    assert wanted == pytest.approx(-3.94, abs=0.01)
    scores += [-3.5]
    assert choose(scores, "min", 0).rejected == 9
    assert choose(scores, "near", 0).rejected == 10


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=5, unique=True))
def test_up_to_five_candidates_near_is_the_worst(scores):
    # None of five numbers is more than two standard deviations from their mean.
    assert choose(scores, "near", 0).rejected == choose(scores, "min", 0).rejected


@given(SCORES, HOW, st.floats(0, 50))
def test_chosen_is_the_best_and_the_margin_holds(scores, how, margin):
    choice = choose(scores, how, margin)
    known = [score for score in scores if score is not None]
    if choice.reason is None:
        chosen, rejected = scores[choice.chosen], scores[choice.rejected]
        assert chosen == max(known)
        assert chosen > rejected and chosen - rejected >= margin
    elif choice.reason == "few_candidates":
        assert len(known) < 2
    elif choice.reason == "tie":
        assert len(set(known)) == 1
    else:
        assert scores[choice.chosen] - scores[choice.rejected] < margin


@given(SCORES, HOW, st.randoms())
def test_the_scores_of_a_pair_do_not_hang_on_the_order_of_the_candidates(scores, how, dice):
    def pair(values):
        choice = choose(values, how, 0)
        return choice.reason, *(None if at is None else values[at] for at in (choice.chosen, choice.rejected))

    shuffled = [*scores]
    dice.shuffle(shuffled)
    assert pair(shuffled) == pair(scores)


def test_only_an_answer_that_the_judge_found_worse_stands_against_the_best():
    scores = [1.0, 0.2, 0.4]
    assert choose(scores, "min", 0, [[2], [], []]).rejected == 2
    assert choose(scores, "min", 0, [[], [], []]).reason == "tie"
    assert choose(scores, "min", 0, [None, None, None]).rejected == 1
