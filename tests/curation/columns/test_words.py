"""Columns of words against Python's own."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.columns.words import Words, ascii_characters, folded, phrases, split, trimmed, utf8, word_hash

WHITE = "".join(chr(code) for code in range(0x110000) if chr(code).isspace())
# White space, what shares a first byte with it, and anything.
CHARACTER = st.one_of(
    st.sampled_from(WHITE),
    st.sampled_from("ab\x00\x1b\x84\u00a1\u1681\u200b\u2010\u2027\u202a\u2030\u205e\u2060\u3001\U0001f600"),
    st.characters(codec="utf-8"),
)
TEXT = st.text(CHARACTER)
TEXTS = st.lists(st.one_of(TEXT, st.none()), max_size=8)


def words_of(words: Words, text: int) -> list[int]:
    return words.hashes[words.offsets[text] : words.offsets[text + 1]].tolist()


@given(TEXTS)
def test_words_are_those_of_str_split(texts):
    words = split(pl.Series(texts, dtype=pl.String))
    expected = [(text or "").split() for text in texts]
    assert words.counts.tolist() == [len(pieces) for pieces in expected]
    assert words.lengths.tolist() == [len(word) for pieces in expected for word in pieces]
    assert words.hashes.tolist() == [word_hash(word) for pieces in expected for word in pieces]


@given(st.lists(TEXT, unique=True))
def test_equal_words_have_equal_hashes_and_others_do_not(texts):
    distinct = {word for text in texts for word in text.split()}
    assert len({word_hash(word) for word in distinct}) == len(distinct)


def test_every_white_space_character_parts_words_and_no_other_does():
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    counts = split(pl.Series([f"a{character}b" for character in every])).counts
    assert [character for character, count in zip(every, counts, strict=True) if count == 2] == list(WHITE)


def test_a_part_of_a_column_has_its_own_words():
    column = pl.Series(["a b", "c", "d e f", "g"])
    for part in (column[1:3], column.filter(pl.Series([False, True, True, False])), column.gather([1, 2])):
        words = split(part)
        assert [words_of(words, 0), words_of(words, 1)] == [[word_hash("c")], [word_hash(word) for word in "def"]]


@given(st.lists(st.text(st.sampled_from("ab ")), max_size=6), st.integers(1, 6))
def test_phrases_are_the_runs_of_words_and_a_shorter_text_is_one(texts, size):
    found, offsets = phrases(split(pl.Series(texts, dtype=pl.String)), size)
    runs = []
    for text, begin, end in zip(texts, offsets, offsets[1:], strict=False):
        pieces = text.split()
        expected = [tuple(pieces[at : at + size]) for at in range(max(len(pieces) - size + 1, min(len(pieces), 1)))]
        assert end - begin == len(expected)
        runs += zip(expected, found[begin:end].tolist(), strict=True)
    assert len(set(runs)) == len({run for run, _ in runs}) == len({number for _, number in runs})


def test_the_order_of_words_matters_in_a_phrase():
    found, _ = phrases(split(pl.Series(["a b", "b a", "ab", "a b"])), 2)
    assert len(set(found.tolist())) == 3
    assert found[0] == found[3]


@given(TEXTS)
def test_folding_lowers_ascii_and_makes_white_space_one_blank(texts):
    table = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
    expected = [" ".join((text or "").split()).translate(table) for text in texts]
    assert folded(pl.Series(texts, dtype=pl.String)).to_list() == expected


@given(TEXT)
def test_trimming_is_rstrip(text):
    data, offsets = utf8(pl.Series(["x", text]))
    end = trimmed(data, offsets[1], offsets[2])
    assert bytes(data[offsets[1] : end]).decode() == text.rstrip()


@given(TEXTS)
def test_ascii_characters_are_counted(texts):
    expected = [len((text or "").encode("ascii", "ignore")) for text in texts]
    assert ascii_characters(pl.Series(texts, dtype=pl.String)).tolist() == expected


@pytest.mark.parametrize("texts", [[], [None], [""], ["", "", "\x00"]])
def test_little_is_no_trouble(texts):
    column = pl.Series(texts, dtype=pl.String)
    assert split(column).offsets.size == len(texts) + 1
    assert utf8(column)[1].dtype == np.int64


def test_a_text_of_megabytes():
    words = split(pl.Series(["word é\u3000" * 500_000, "end"]))
    assert words.counts.tolist() == [1_000_000, 1]
    assert words_of(words, 1) == [word_hash("end")]
