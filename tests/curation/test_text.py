"""Words and the form in which texts are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.text import Pair, normalise, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello World", "hELLO wORLD"),
        ("a b", "  a \t\n b\u00a0"),
        ("cafe\u0301", "caf\u00e9"),
        ("\uff21\uff22\uff23", "abc"),
        ("Stra\u00dfe", "STRASSE"),
    ],
)
def test_same_text_written_differently(one, other):
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), ("a.", "a"), ("cafe", "caf\u00e9")])
def test_different_texts_stay_different(one, other):
    assert normalise(one) != normalise(other)


@given(st.text())
def test_normalised_text_has_no_white_space_but_single_blanks(text):
    normal = normalise(text)
    assert normal == " ".join(normal.split())


def test_words_are_casefolded_pieces():
    assert words(" The  oven,\nthe\u3000OVEN ") == ["the", "oven,", "the", "oven"]


@pytest.mark.parametrize(
    ("instruction", "response", "whole"), [("a", "b", True), (" \n", "b", False), ("a", "", False), ("", "", False)]
)
def test_a_pair_is_whole_if_neither_text_is_blank(instruction, response, whole):
    assert Pair(instruction, response).is_whole is whole
