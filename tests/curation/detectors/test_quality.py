"""The score against values worked out by hand from its formulas, and row by row against the first run's code."""

import pytest
from hypothesis import given

from tests.curation import reference
from tests.curation.texts import PAIRS, batch
from tuner.curation.checks.form import Form
from tuner.curation.checks.quality import Quality
from tuner.curation.checks.repetition import Repetition
from tuner.curation.detectors import form, repetition
from tuner.curation.detectors.language import is_english
from tuner.curation.detectors.quality import WEIGHTS, check

PARTS = [f"quality_{part}" for part in WEIGHTS]


def findings(pairs, minimum=0.5):
    return check(batch(pairs, wanted=None), Quality(minimum=minimum), reasons(pairs))


def reasons(pairs):
    """Of English rows, by the first run's count of phrases."""
    rows = batch(pairs, wanted=None)
    return {**form.check(rows, Form()).reasons, **repetition.check(rows, Repetition(max_phrase_share=0)).reasons}


def scores(instruction, response):
    return {
        name.removeprefix("quality_"): column[0] for name, column in findings([(instruction, response)]).scores.items()
    }


def test_the_weights_make_a_mean():
    assert sum(WEIGHTS.values()) == pytest.approx(1)


@pytest.mark.parametrize(("count", "part"), [(200, 1.0), (100, 0.8), (300, 0.8), (450, 0.5), (2000, 0.5), (1, 0.602)])
def test_length(count, part):
    assert scores("x", " ".join(f"w{i}" for i in range(count)))["length"] == pytest.approx(part)


def test_language():
    # 1 of 10 words is English, 10 of 17 characters are ASCII.
    found = scores("the", "xx 中中中中中中中 yy")
    assert found["language"] == pytest.approx(0.5 * 1 / 10 + 0.5 * 10 / 17 + 0.5)
    assert scores("the", "the a is")["language"] == 1


def test_repetition():
    assert scores("x", "one two three four")["repetition"] == 1
    assert scores("x", "oven " * 12)["repetition"] == 0.3
    assert scores("x", " ".join(f"a b c {i}" for i in range(4)))["repetition"] == 0.2


@pytest.mark.parametrize(
    ("instruction", "response", "part"),
    [
        ("x", "It rises.", 1.0),
        ("x", "It rises (a bit)\n", 1.0),
        ("x", "It rises", 0.7),
        ("x", "It rises»", 0.7),
        ("x", "Sure!", 0.1),
        ("?!", "It rises.", 0.0),
        ("x", "There I cannot help.", 0.0),
    ],
)
def test_format(instruction, response, part):
    assert scores(instruction, response)["format"] == part


@pytest.mark.parametrize("word", ["kill", "Kills", "killing", "murdered", "bombs", "suicide", "hack  into", "weapon."])
def test_harmful_words_are_toxic_in_either_text(word):
    assert scores("x", f"the {word} is here")["toxicity"] == 0
    assert scores(f"the {word} is here", "x")["toxicity"] == 0


@pytest.mark.parametrize(
    "text",
    ["a skill", "skilled", "painkiller", "bombastic", "overkill", "we study how bombs work", "Educational: kill"],
)
def test_a_word_within_a_word_or_in_an_educational_context_is_not(text):
    assert scores("x", text)["toxicity"] == 1


def test_the_context_may_be_in_the_other_text():
    assert scores("The history of war", "They kill.")["toxicity"] == 1


@pytest.mark.parametrize(
    ("instruction", "response", "part"),
    [
        ("Name it", "a a a a", 1 * (0.5 + 0.5 / 4)),
        ("Name it?", "a a a a", 1.1 * (0.5 + 0.5 / 4)),
        ("Describe it", "a a a a", 1.1 * (0.5 + 0.5 / 4)),
        ("What is it?", "a a a a", 1.2 * (0.5 + 0.5 / 4)),
        ("Show it", "a a a a", 1 * (0.5 + 0.5 / 4)),
        ("Name it", "a a\n\na a", 1 * (0.5 + 0.5 / 4) + 0.1),
        ("Name it", "a a\n- a\n- a", 1 * (0.5 + 0.5 * 2 / 6) + 0.1),
        ("Name it", "a a\n12. a a", 1 * (0.5 + 0.5 * 2 / 5) + 0.1),
        ("Name it", "a-a a-a", 1 * (0.5 + 0.5 / 2)),
        ("Name it", "A a", 1.0),
        ("What is it?", "a b\n\nc", 1.0),
    ],
)
def test_content(instruction, response, part):
    assert scores(instruction, response)["content"] == pytest.approx(part)


def test_the_score_is_the_weighted_sum():
    found = scores("Name it", "a a a a")
    length = 1 - 196 / 500
    language = 0.5 * 4 / 6 + 0.5 + 0.5
    expected = 0.15 * length + 0.10 * min(1, language) + 0.20 + 0.15 * 0.7 + 0.15 + 0.25 * 0.625
    assert found["quality"] == pytest.approx(expected)


def test_a_score_under_the_minimum_is_a_reason():
    pairs = [("Name it", "a a a a")]
    score = findings(pairs).scores["quality"][0]
    assert not findings(pairs, minimum=score).reasons["low_quality"][0]
    assert findings(pairs, minimum=score + 0.001).reasons["low_quality"][0]


def test_a_row_without_a_text_has_no_score():
    found = findings([("", "It rises."), ("Hello there you", " \n"), ("", "")], minimum=1)
    assert all(column.to_list() == [None] * 3 for column in found.scores.values())
    assert not found.reasons["low_quality"].any()


@given(PAIRS)
def test_every_english_row_is_scored_as_the_first_run_scored_it(pairs):
    found, known, english = findings(pairs), reasons(pairs), is_english(batch(pairs, wanted=None))
    for place, (instruction, response) in enumerate(pairs):
        if not (english[place] and instruction.split() and response.split()):
            continue
        parts = reference.quality(instruction, response, [name for name, flags in known.items() if flags[place]])
        assert {name: found.scores[name][place] for name in PARTS} == pytest.approx(
            {f"quality_{part}": value for part, value in parts.items()}
        )
        score = sum(weight * parts[part] for part, weight in WEIGHTS.items())
        assert found.scores["quality"][place] == pytest.approx(score)
        assert 0 <= score <= 1 + 1e-9


@given(PAIRS, PAIRS)
def test_other_rows_do_not_matter(some, others):
    alone, among = (findings(pairs) for pairs in (some, [*others, *some]))
    for name in ("quality", *PARTS):
        assert alone.scores[name].to_list() == among.scores[name].to_list()[len(others) :]
