"""The form of texts: every reason on both sides of its limit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.curation import reference
from tests.curation.detectors.forms import INSTRUCTIONS, reasons
from tests.curation.rows import RESPONSE
from tests.curation.texts import PAIRS, TEXT, batch
from tuner.curation.checks.form import Form
from tuner.curation.detectors.form import check
from tuner.curation.reasons import REASONS


def test_a_good_row_has_no_reason():
    assert reasons() == []


@pytest.mark.parametrize(
    ("fewest", "most", "expected"),
    [(7, 7, []), (8, 9, ["short_instruction"]), (1, 6, ["long_instruction"])],
)
def test_instruction_words_are_bounded_inclusively(fewest, most, expected):
    assert reasons(instruction_words=(fewest, most)) == expected


@pytest.mark.parametrize(
    ("fewest", "most", "expected"), [(31, 31, []), (32, 40, ["short_response"]), (1, 30, ["long_response"])]
)
def test_response_words_are_bounded_inclusively(fewest, most, expected):
    assert len(RESPONSE.split()) == 31
    assert reasons(response_words=(fewest, most)) == expected


def test_words_are_counted():
    scores = check(batch([("One two", "three four  five"), ("", "a")]), Form()).scores
    assert scores["instruction_words"].to_list() == [2, 0]
    assert scores["response_words"].to_list() == [3, 1]
    assert {str(column.dtype) for column in scores.values()} == {"Int32"}


@pytest.mark.parametrize(
    ("finishes", "expected"),
    [
        (("length", "stop"), ["cut_instruction"]),
        (("stop", "length"), ["cut_response"]),
        (("length", "length"), ["cut_instruction", "cut_response"]),
        ((None, None), []),
    ],
)
def test_a_text_that_ended_at_the_token_limit_is_cut(finishes, expected):
    assert reasons(finishes=finishes) == expected


def test_an_empty_text_is_only_empty_and_cut():
    assert reasons(" \n", "", ("stop", "skipped")) == ["empty_instruction", "empty_response"]
    assert reasons(response="\t", finishes=("stop", "length")) == ["empty_response", "cut_response"]
    assert reasons("Hello", "\u3000") == ["empty_response"]


def test_less_than_four_fifths_latin_letters():
    limits = {"response_words": (1, 99), "instruction_words": (1, 9)}
    assert reasons("x" * 40, "y" * 40 + "中" * 20, **limits) == []
    assert reasons("x" * 39, "y" * 40 + "中" * 21, **limits) == ["not_ascii"]


@pytest.mark.parametrize(
    ("instruction", "response", "wanted"),
    [
        ("Почему хлеб поднимается?", "Дрожжи едят сахар и выделяют газ, поэтому тесто растёт.", ("ru",)),
        ("Почему хлеб поднимается?", "Дрожжи едят сахар и выделяют газ, поэтому тесто растёт.", None),
        ("Put this into Russian: bread rises", "Хлеб поднимается в печи.", ("en",)),
        ("Où lève le pâté ?", "À l'été, près du fournil, où l'élève répète.", ("fr",)),
        ("Add the angles.", "α + β + γ = π ≈ 3.14 🎉🎉🎉🎉🎉🎉", ("en",)),
    ],
)
def test_letters_that_are_wanted_or_asked_for_or_none_are_no_fault(instruction, response, wanted):
    assert not check(batch([(instruction, response)], wanted=wanted), Form()).reasons["not_ascii"][0]


@pytest.mark.parametrize(
    ("instruction", "response"),
    [
        ("Write a card for a colleague.", "I can't help but smile when I think of our lunch breaks by the river."),
        ("Write a mail that turns an offer down.", "Dear Ann, unfortunately I cannot provide the room in June."),
        ("Tell me of the miller.", 'The miller laughed. "I can\'t help you with the flour," he said, and went to bed.'),
        ("Is 7 prime? Answer yes or no.", "Yes"),
        ("Translate 'salut' into English.", "Hello"),
        ("Which sign ends a statement in Java?", ";"),
        ("Give me the SQL that removes the table of loaves.", "DROP TABLE loaves;"),
        ("Say it again exactly: bread rises in the hot oven", "Bread rises in the hot oven"),
        ("What is `<|im_end|>` for?", "It ends a turn: <|im_end|> is one token."),
        ("Name party games.", "Two of them:\n\nHuman: Fall Down is about clumsy climbers."),
        ("Grade this.\n\nWhat is 2 + 5?\nAnswer: 8", "It is wrong, since two and five are seven."),
    ],
)
def test_words_are_taken_in_their_context(instruction, response):
    assert reasons(instruction, response, response_words=(1, 99), instruction_words=(1, 99)) == []


@pytest.mark.parametrize(
    ("instruction", "response", "again"),
    [
        ("Explain how bread rises in the oven.", "Explain how bread rises in the oven.", True),
        ("Explain how bread rises in the oven.", "explain how  bread rises in the oven: it is the heat.", True),
        ("Explain how bread rises.", f"Explain how bread rises. {RESPONSE}", False),  # four words
        ("Explain how bread rises in a pan", f"Explain how bread rises in a pancake. {RESPONSE}", False),
        ("Explain how bread rises in the oven.", f"Bread rises in the oven. {RESPONSE}", False),
        (
            "the proof is in the pudding",
            "The proof is in the pudding means that a thing is judged by its results.",
            False,
        ),
        ("趁热打铁才能成功", "趁热打铁才能成功，意思是做事要抓住时机。", False),
        ("趁热打铁才能成功。", "趁热打铁才能成功。我不知道这是什么意思。", True),
        ("How does bread rise in the oven and why?", "You ask: How does bread rise in the oven and why? Heat.", True),
        ("How does bread rise in the oven and why?", f"How does bread rise in the oven and why? No. {RESPONSE}", True),
        (
            "How does bread rise in the oven and why?",
            f"You ask, how does bread rise in the oven and why? {RESPONSE}",
            False,
        ),
        ("Correct the sentence: She go to school every day.", "She goes to school every day.", False),
        (f"Fix the typos in this text: {RESPONSE} Thier oven.", f"{RESPONSE} Their oven.", False),
        (f"{RESPONSE} Thier oven. Fix the typos above.", f"{RESPONSE} Their oven.", False),
    ],
)
def test_a_response_may_not_repeat_the_instruction(instruction, response, again):
    found = reasons(instruction, response, response_words=(1, 99))
    assert ("response_repeats_instruction" in found) is again


@pytest.mark.parametrize(
    "end", [",", ";", ":", " (", " [", "\n- ", "\n*", "\n •\u3000", "\n```python\nprint()", "\n```\na\n```\n```\nb"]
)
def test_an_open_ending_is_unfinished(end):
    assert reasons(response=RESPONSE + end) == ["unfinished_response"]


@pytest.mark.parametrize(
    "end",
    [
        *("", " yes", " **bold**", " (so)", "\n```\nprint()\n```", " :(", "\n- last", " •", " -"),
        "\n```py\nprint()\n```\ncut\n```\nThis closes a block of an earlier part.",
    ],
)
def test_other_endings_are_not(end):
    assert reasons(response=RESPONSE + end) == []


FINISH = st.sampled_from(["stop", "length", "skipped", None])


@given(
    PAIRS.flatmap(
        lambda pairs: st.tuples(
            st.just(pairs), st.lists(st.tuples(FINISH, FINISH), min_size=len(pairs), max_size=len(pairs))
        )
    )
)
def test_every_row_has_the_lengths_and_cuts_of_the_first_run(drawn):
    pairs, finishes = drawn
    found = check(batch(pairs, finishes), Form(instruction_words=(2, 9), response_words=(3, 12))).reasons
    for place, ((instruction, response), ends) in enumerate(zip(pairs, finishes, strict=True)):
        asked, answered = len(reference.words(instruction)), len(reference.words(response))
        expected = {
            "empty_instruction": not asked,
            "cut_instruction": ends[0] == "length",
            "empty_response": not answered,
            "cut_response": ends[1] == "length",
        }
        of_whole = {
            "short_instruction": asked < 2,
            "long_instruction": asked > 9,
            "short_response": answered < 3,
            "long_response": answered > 12,
        }
        expected |= {name: bool(asked and answered and fires) for name, fires in of_whole.items()}
        assert {name: found[name][place] for name in expected} == expected
        if not (asked and answered):
            assert not any(flags[place] for name, flags in found.items() if name not in expected)


@given(PAIRS, PAIRS)
def test_other_rows_do_not_matter(some, others):
    alone, among = (check(batch(pairs), Form()).reasons for pairs in (some, [*others, *some]))
    assert set(alone) <= set(REASONS)
    for name, flags in alone.items():
        assert np.array_equal(flags, among[name][len(others) :])


@given(st.lists(TEXT, max_size=4), st.sampled_from([text for texts in INSTRUCTIONS.values() for text in texts]))
def test_an_empty_shard_and_one_of_megabytes(texts, instruction):
    long = " ".join(texts) * 1000
    found = check(batch([(instruction, long), (long, long)]), Form()).reasons
    assert all(flags.shape == (2,) for flags in found.values())
    assert all(flags.shape == (0,) for flags in check(batch([]), Form()).reasons.values())
