"""Repetition as the first run measured it, against its formulas row by row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.curation import reference
from tests.curation.texts import PAIRS, batch
from tuner.curation.checks.repetition import Repetition
from tuner.curation.columns.text import normalised
from tuner.curation.detectors.repetition import check, measure

FEW_WORDS = st.lists(
    st.lists(st.sampled_from(["the", "of", "an", "oven", "Oven", "bread,", "été", "to"]), max_size=80).map(" ".join),
    max_size=5,
)


def found(response, **limits):
    findings = check(batch([("Explain ovens.", response)]), Repetition(**limits))
    return [name for name, flags in findings.reasons.items() if flags[0]], findings.scores["repetition_ratio"][0]


def test_only_long_uncommon_words_count():
    assert found("the the the the the of of of of oven", max_phrase_repeats=99) == ([], 0.1)
    assert found("the of the of is is is is is is", max_phrase_repeats=99) == ([], 0.0)


def test_short_responses_are_not_checked():
    assert found("oven " * 9) == ([], None)
    assert found("oven " * 10)[1] == 1


def test_a_word_may_fill_the_allowed_share_and_no_more():
    response = "ovens bake bread, ovens warm rooms, ovens need much care."
    assert found(response, max_word_share=0.3) == ([], 0.3)
    assert found(response, max_word_share=0.29) == (["repeated_word"], 0.3)


@pytest.mark.parametrize(("times", "expected"), [(3, []), (4, ["repeated_phrase"])])
def test_a_phrase_may_recur_as_often_as_is_allowed_and_no_more(times, expected):
    response = " ".join(f"Bake at home number{i} item{i} other{i} thing{i}" for i in range(times))
    assert found(response, max_phrase_repeats=3)[0] == expected


def test_a_row_without_an_instruction_has_a_ratio_but_no_reason():
    findings = check(batch([("", "oven " * 20)]), Repetition())
    assert not any(flags.any() for flags in findings.reasons.values())
    assert findings.scores["repetition_ratio"].to_list() == [1.0]


@given(st.one_of(FEW_WORDS.map(lambda texts: [("x", text) for text in texts]), PAIRS))
def test_every_row_is_measured_as_the_formulas_have_it(pairs):
    rows = batch(pairs)
    limits = Repetition(max_word_share=0.25, max_phrase_repeats=2)
    findings = check(rows, limits)
    ratios = [reference.repetition_ratio(response) for _, response in pairs]
    repeats = [reference.phrase_repeats(response) for _, response in pairs]
    assert findings.scores["repetition_ratio"].to_list() == ratios
    assert measure(rows.response_words)[1].tolist() == repeats
    word = [whole and (ratio or 0) > limits.max_word_share for whole, ratio in zip(rows.whole, ratios, strict=True)]
    phrase = [whole and number > limits.max_phrase_repeats for whole, number in zip(rows.whole, repeats, strict=True)]
    assert findings.reasons["repeated_word"].tolist() == word
    assert findings.reasons["repeated_phrase"].tolist() == phrase


@given(PAIRS, PAIRS)
def test_other_rows_do_not_matter(some, others):
    alone, among = (check(batch(pairs), Repetition()) for pairs in (some, [*others, *some]))
    for name, flags in alone.reasons.items():
        assert np.array_equal(flags, among.reasons[name][len(others) :])
    assert alone.scores["repetition_ratio"].to_list() == among.scores["repetition_ratio"].to_list()[len(others) :]


def test_a_response_of_megabytes_is_counted():
    rows = batch([("x", "bread rises slowly " * 100_000), ("x", "one two three four five six seven eight nine ten")])
    share, repeats = measure(rows.response_words)
    assert share.tolist() == pytest.approx([1 / 3, 0.1])
    assert repeats.tolist() == [100_000, 1]
    assert normalised(rows.response)[1].startswith("one")
