"""The score against values worked out by hand from its formulas."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tuner.curation.quality import WEIGHTS, assess
from tuner.curation.rules import examine
from tuner.curation.text import Pair
from tuner.recipe import Curation


def quality(instruction, response, **limits):
    pair = Pair(instruction, response)
    return assess(pair, examine(pair, "stop", "stop", Curation(**limits)))


def test_the_weights_make_a_mean():
    assert sum(WEIGHTS.values()) == pytest.approx(1)


@pytest.mark.parametrize(("count", "part"), [(200, 1.0), (100, 0.8), (300, 0.8), (450, 0.5), (2000, 0.5), (1, 0.602)])
def test_length(count, part):
    assert quality("x", " ".join(f"w{i}" for i in range(count))).length == pytest.approx(part)


def test_language():
    # 1 of 4 words is English, 10 of 17 characters are ASCII.
    found = quality("the", "xx \u4e2d\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d\u4e2d yy")
    assert found.language == pytest.approx(0.5 * 1 / 4 + 0.5 * 10 / 17 + 0.5)
    assert quality("the", "the a is").language == 1


def test_repetition():
    assert quality("x", "one two three four").repetition == 1
    assert quality("x", "oven " * 12).repetition == 0.3
    assert quality("x", " ".join(f"a b c {i}" for i in range(4))).repetition == 0.2


@pytest.mark.parametrize(
    ("instruction", "response", "part"),
    [
        ("x", "It rises.", 1.0),
        ("x", "It rises (a bit)\n", 1.0),
        ("x", "It rises", 0.7),
        ("x", "Sure!", 0.1),
        ("Hello", "It rises.", 0.0),
        ("x", "There I cannot help.", 0.0),
    ],
)
def test_format(instruction, response, part):
    assert quality(instruction, response).format == part


def test_toxicity():
    assert quality("x", "a skill").toxicity == 1
    assert quality("x", "a kill").toxicity == 0


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
        ("Name it", "a-a a-a", 1 * (0.5 + 0.5 / 2)),
        ("Name it", "A a", 1.0),
        ("What is it?", "a b\n\nc", 1.0),
    ],
)
def test_content(instruction, response, part):
    assert quality(instruction, response).content == pytest.approx(part)


def test_the_score_is_the_weighted_sum():
    found = quality("Name it", "a a a a")
    length = 1 - 196 / 500
    language = 0.5 * 4 / 6 + 0.5 + 0.5
    expected = 0.15 * length + 0.10 * min(1, language) + 0.20 + 0.15 * 0.7 + 0.15 + 0.25 * 0.625
    assert found.score == pytest.approx(expected)


@given(st.text(), st.text())
def test_every_part_and_the_score_lie_between_0_and_1(instruction, response):
    assume(Pair(instruction, response).is_whole)
    found = quality(instruction, response)
    assert all(0 <= getattr(found, part) <= 1 for part in WEIGHTS)
    assert 0 <= found.score <= 1 + 1e-9
