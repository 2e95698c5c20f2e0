"""Every rule at both sides of its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation import rules
from tuner.curation.text import Pair
from tuner.recipe import Curation

from .rows import INSTRUCTION, RESPONSE


def reasons(instruction=INSTRUCTION, response=RESPONSE, finishes=("stop", "stop"), **limits):
    return rules.examine(Pair(instruction, response), *finishes, Curation(**limits)).reasons


def test_a_good_row_breaks_no_rule():
    assert reasons() == ()


@pytest.mark.parametrize(
    ("fewest", "most", "expected"),
    [(7, 7, ()), (8, 9, ("short_instruction",)), (1, 6, ("long_instruction",))],
)
def test_instruction_words_are_bounded_inclusively(fewest, most, expected):
    assert reasons(instruction_words=(fewest, most)) == expected


@pytest.mark.parametrize(
    ("fewest", "most", "expected"), [(31, 31, ()), (32, 40, ("short_response",)), (1, 30, ("long_response",))]
)
def test_response_words_are_bounded_inclusively(fewest, most, expected):
    assert len(RESPONSE.split()) == 31
    assert reasons(response_words=(fewest, most)) == expected


@pytest.mark.parametrize(
    ("finishes", "expected"),
    [
        (("length", "stop"), ("cut_instruction",)),
        (("stop", "length"), ("cut_response",)),
        (("length", "length"), ("cut_instruction", "cut_response")),
    ],
)
def test_what_ended_at_the_token_limit_is_cut(finishes, expected):
    assert reasons(finishes=finishes) == expected


def test_an_empty_text_is_only_empty():
    assert reasons(instruction=" \n", response="", finishes=("stop", "skipped")) == (
        "empty_instruction",
        "empty_response",
    )
    assert reasons(response="\t") == ("empty_response",)


def test_less_than_four_fifths_ascii_is_not_english():
    instruction = "x" * 39
    assert reasons(instruction, "y" * 40 + "\u4e2d" * 20, response_words=(1, 9), instruction_words=(1, 9)) == ()
    assert reasons(instruction, "y" * 39 + "\u4e2d" * 21, response_words=(1, 9), instruction_words=(1, 9)) == (
        "not_english",
    )


def test_repetition_counts_long_uncommon_words_only():
    assert rules.repetition_ratio(["the", "the", "the", "the", "the", "of", "of", "of", "of", "oven"]) == 0.1
    assert rules.repetition_ratio(["the", "of", "the", "of", "is", "is", "is", "is", "is", "is"]) == 0
    assert rules.repetition_ratio(["oven"] * 9) is None


def test_a_word_may_fill_the_allowed_share_and_no_more():
    response = "ovens bake bread, ovens warm rooms, ovens need much care."
    assert len(response.split()) == 10
    assert reasons(response=response, max_repetition=0.3) == ()
    assert reasons(response=response, max_repetition=0.29) == ("repeated_word",)


@pytest.mark.parametrize(("times", "expected"), [(3, ()), (4, ("repeated_phrase",))])
def test_a_phrase_may_recur_three_times(times, expected):
    response = " ".join(f"Bake at home number{i} item{i} other{i} thing{i}" for i in range(times)) + "."
    assert reasons(response=response) == expected


@given(st.lists(st.sampled_from("abc"), min_size=10, max_size=60), st.integers(3, 5))
def test_phrases_of_three_words_stand_for_longer_ones(words, n):
    phrases = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    assert rules.phrase_repeats(words) >= max(phrases.count(phrase) for phrase in phrases)
    if n == 3:
        assert rules.phrase_repeats(words) == max(phrases.count(phrase) for phrase in phrases)


@pytest.mark.parametrize("response", ["Sure!", "thank you .", "***", "!?"])
def test_a_bare_greeting_or_mark_is_no_response(response):
    assert "response_pattern" in reasons(response=response)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Sure, the oven heats the dough until the loaf has risen.", ()),
        ("Speaking as an AI model, the oven heats the dough until it rises.", ("response_pattern",)),
        ("It was an aid to the baker and served him well as an aim.", ()),
        ("I'm sorry, but I will not bake bread for anyone on a Sunday.", ("response_pattern",)),
        ("I\u2019m sorry, but I will not bake bread for anyone on a Sunday.", ("response_pattern",)),
        ("I'm sorry, but it rains, so the bread must be baked at home.", ()),
        ("That is a thing that I cannot assist anyone with, not even friends.", ("refusal",)),
        ("Here I\u2019m unable to look at the oven, so please look at it yourself.", ("refusal",)),
        ("Sadly I don't have access to the oven, so look at it yourself.", ("refusal",)),
        ("Lori can't help him with the oven because she is away on Sunday.", ()),
    ],
)
def test_apologies_and_refusals(response, expected):
    assert reasons(response=response) == expected


def test_the_instruction_is_matched_against_the_patterns_too():
    assert reasons(instruction="I'm sorry, but I have a question.") == ("instruction_pattern",)


@pytest.mark.parametrize("end", [",", ";", ":", " (", " [", "\n- ", "\n*", "\n```python\nprint()"])
def test_an_open_ending_is_unfinished(end):
    assert reasons(response=RESPONSE + end) == ("unfinished_response",)


@pytest.mark.parametrize("end", ["", " yes", " **bold**", " (so)", "\n```\nprint()\n```", " :(", "\n- last"])
def test_other_endings_are_not(end):
    assert reasons(response=RESPONSE + end) == ()


@pytest.mark.parametrize("word", ["kill", "Kills", "killing", "murdered", "bombs", "suicide", "hack into", "weapon."])
def test_harmful_words_are_toxic(word):
    assert rules.is_toxic(f"the {word} is here")


@pytest.mark.parametrize(
    "text",
    ["a skill", "skilled", "painkiller", "bombastic", "overkill", "we study how bombs work", "Educational: kill"],
)
def test_a_word_within_a_word_or_in_an_educational_context_is_not(text):
    assert not rules.is_toxic(text)


def test_a_harmful_word_in_either_text_rejects_the_row():
    assert reasons(instruction="Explain how to murder a song.") == ("toxic",)
    assert reasons(response=f"{RESPONSE} They kill time.") == ("toxic",)


@given(st.text(), st.text(), st.sampled_from(["stop", "length", "skipped"]))
def test_any_text_is_examined_and_every_reason_is_known_and_in_order(instruction, response, finish):
    finding = rules.examine(Pair(instruction, response), "stop", finish, Curation())
    order = [name for name, _ in rules.REASONS]
    assert [order.index(reason) for reason in finding.reasons] == sorted(map(order.index, finding.reasons))
    assert 0 <= finding.ascii_ratio <= 1
    assert 0 <= finding.english_ratio <= 1
    assert finding.repetition_ratio is None or 0 <= finding.repetition_ratio <= 1
