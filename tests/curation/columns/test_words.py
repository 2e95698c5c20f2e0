"""Columns of words against Python's own."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.curation.reference import segments
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import (
    Words,
    ascii_characters,
    beginnings,
    folded,
    hashes_of,
    phrases,
    split,
    trimmed,
    utf8,
)

WHITE = "".join(chr(code) for code in range(0x110000) if chr(code).isspace())
# Letters of scripts without blanks, their marks and punctuation.
ALONE = "漢字々〇ひカーไทยก็ລາວកខ\u17d2ခမ\U00020000"
CLINGING = "\u0e31\u0e47\u17d2\u102d\u3099。、「」・,.(!\U0001f600\u200b\U000e0100"
# White space, what shares a first byte with it, and anything.
CHARACTER = st.one_of(
    st.sampled_from(WHITE),
    st.sampled_from(ALONE + CLINGING),
    st.sampled_from("ab\x00\x1b\x84\u00a1\u1681\u200b\u2010\u2027\u202a\u2030\u205e\u2060\u3001\U0001f600"),
    st.characters(codec="utf-8"),
)
TEXT = st.text(CHARACTER)
TEXTS = st.lists(st.one_of(TEXT, st.none()), max_size=8)


def words_of(words: Words, text: int) -> list[int]:
    return words.hashes[words.offsets[text] : words.offsets[text + 1]].tolist()


def fnv(word: str) -> int:
    """The hash of a word, in Python's integers."""
    value = 0xCBF29CE484222325
    for byte in word.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        value = (value ^ (value >> shift)) * factor % 2**64
    return value


@given(TEXTS)
def test_words_are_parted_by_white_space_and_around_characters_that_stand_alone(texts):
    words = split(pl.Series(texts, dtype=pl.String))
    expected = [segments(text or "") for text in texts]
    assert words.counts.tolist() == [len(pieces) for pieces in expected]
    assert words.lengths.tolist() == [len(word) for pieces in expected for word in pieces]
    assert words.hashes.tolist() == [fnv(word) for pieces in expected for word in pieces]


@given(st.lists(TEXT, unique=True))
def test_equal_words_have_equal_hashes_and_others_do_not(texts):
    distinct = {word for text in texts for word in segments(text)}
    assert len({*hashes_of(distinct).tolist()}) == len(distinct)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("你好，世界。", ["你", "好,", "世", "界。"]),
        ("用Python写 hello world 吧", ["用", "python", "写", "hello", "world", "吧"]),
        ("ภาษาไทย ดีมาก", ["ภ", "า", "ษ", "า", "ไ", "ท", "ย", "ดี", "ม", "า", "ก"]),
        ("がんばって！", ["が", "ん", "ば", "っ", "て!"]),
        ("ພາສາລາວ ១២ ខ្មែរ", ["ພ", "າ", "ສ", "າ", "ລ", "າ", "ວ", "១២", "ខ្", "មែ", "រ"]),
        ("मैं ठीक हूँ, Привет (мир) 안녕하세요", ["मैं", "ठीक", "हूँ,", "привет", "(мир)", "안녕하세요"]),
    ],
)
def test_words_of_scripts_with_and_without_blanks(text, words):
    assert split(normalised(pl.Series([text]))).hashes.tolist() == [fnv(word) for word in words]


def test_every_white_space_character_parts_words_and_no_other_does():
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    counts = split(pl.Series([f"a{character}b" for character in every])).counts
    assert [character for character, count in zip(every, counts, strict=True) if count == 2] == list(WHITE)


def test_a_part_of_a_column_has_its_own_words():
    column = pl.Series(["a b", "c", "d e f", "g"])
    for part in (column[1:3], column.filter(pl.Series([False, True, True, False])), column.gather([1, 2])):
        words = split(part)
        assert [words_of(words, 0), words_of(words, 1)] == [hashes_of("c").tolist(), hashes_of("def").tolist()]


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
    assert words_of(words, 1) == hashes_of(["end"]).tolist()


@given(TEXTS, st.integers(1, 3))
def test_a_beginning_ends_with_its_last_word(texts, number):
    column = pl.Series([None, *texts], dtype=pl.String)[1:]
    begun = beginnings(column, number)
    assert split(begun).counts.tolist() == np.minimum(split(column).counts, number).tolist()
    for beginning, text in zip(begun, texts, strict=True):
        assert (text or "").startswith(beginning) and not beginning[-1:].isspace()
