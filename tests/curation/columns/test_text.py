"""The form in which texts are compared."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.columns.text import normalise, normalised

TEXT = st.text(st.characters(codec="utf-8"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello World", "hELLO wORLD"),
        ("a b", "  a \t\n b\u00a0"),
        ("cafe\u0301", "café"),
        ("ＡＢＣ", "abc"),
        ("Straße", "STRASSE"),
    ],
)
def test_same_text_written_differently(one, other):
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), ("a.", "a"), ("cafe", "café")])
def test_different_texts_stay_different(one, other):
    assert normalise(one) != normalise(other)


@given(TEXT)
def test_normalised_text_has_no_white_space_but_single_blanks(text):
    normal = normalise(text)
    assert normal == " ".join(normal.split())


@given(st.lists(st.one_of(TEXT, st.text(st.characters(codec="ascii")), st.none()), max_size=8))
def test_a_column_is_normalised_as_its_texts_are(texts):
    assert normalised(pl.Series(texts, dtype=pl.String)).to_list() == [normalise(text or "") for text in texts]
