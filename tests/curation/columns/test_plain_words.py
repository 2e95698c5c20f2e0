"""Plain words against a plain definition of them."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.curation.columns.test_words import ALONE
from tests.curation.reference import stands_alone
from tuner.curation.columns import plain_words

TEXT = st.text(
    st.one_of(st.sampled_from(f"ab ï,é|ß.Ж{ALONE}"), st.characters(codec="utf-8", categories=("L", "N", "P")))
)


def runs(text):
    """Runs of letters and digits; a letter of a script without blanks is one by itself."""
    found, inside = [], False
    for character in text:
        if unicodedata.category(character)[0] not in "LMN" or character.isspace():
            inside = False
        elif stands_alone(character):
            found.append(character)
            inside = False
        elif inside or (found and unicodedata.category(character)[0] == "M"):
            found[-1] += character
        else:
            found.append(character)
            inside = True
    return found


def lengths(text):
    return plain_words.split(pl.Series([text])).lengths.tolist()


@given(TEXT)
def test_words_are_runs_of_letters_and_digits(text):
    assert lengths(text) == [len(run) for run in runs(text)]


@pytest.mark.parametrize("text", ["naïve café", "Straße, Ørsted & Çelik", "Ёлка — ёж", "한국어 문장", "ö\U0001f600ö c"])
def test_letters_beyond_ascii_part_no_word(text):
    assert lengths(text) == [len(run) for run in runs(text)]


def test_an_excerpt_ends_between_characters():
    assert plain_words.excerpt("le café: très bon, déjà vu", 1, 3) == "café: très bon,"
    assert plain_words.excerpt("0:¼:\U00040000", 0, 2) == "0:¼:"
