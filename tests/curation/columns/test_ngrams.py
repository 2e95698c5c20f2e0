"""Sets of n-grams: what is in them and shared by two is what sets of Python hold and share."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curation.columns import ngrams
from tuner.curation.columns.ngrams import jaccard as similarity
from tuner.curation.columns.ngrams import sequences_of, sets_of, template_rows, without_templates
from tuner.curation.columns.words import split

compiled = settings(deadline=None)  # the first call compiles

WORDS = st.lists(st.sampled_from(list("abcd")), max_size=15).map(" ".join)
BITS = st.sampled_from([32, 52])


def ngrams_of(text, size):
    words = text.split()
    return {tuple(words[at : at + size]) for at in range(max(len(words) - size + 1, min(len(words), 1)))}


def jaccard(one, other, size):
    first, second = ngrams_of(one, size), ngrams_of(other, size)
    return len(first & second) / len(first | second) if first | second else 0.0


@compiled
@given(st.lists(WORDS, max_size=8), st.integers(1, 6), BITS)
def test_sets_hold_each_ngram_once_in_rising_order(texts, size, bits):
    sets = sets_of(split(pl.Series(texts, dtype=pl.String)), size, bits)
    assert len(sets) == len(texts)
    for number, text in enumerate(texts):
        found = sets.values[sets.offsets[number] : sets.offsets[number + 1]].tolist()
        assert found == sorted(set(found))
        assert len(found) == len(ngrams_of(text, size))


@compiled
@given(WORDS, WORDS, st.integers(1, 6), st.floats(0.01, 1))
def test_jaccard_is_that_of_the_sets_of_ngrams(one, other, size, least):
    sets = sets_of(split(pl.Series([one, other])), size)
    true = jaccard(one, other, size)
    assert ngrams.jaccard(sets.values, sets.offsets, 0, 1, 0.0) == true
    assert ngrams.jaccard(sets.values, sets.offsets, 1, 0, 0.0) == true
    if ngrams_of(one, size) | ngrams_of(other, size):
        assert ngrams.jaccard(sets.values, sets.offsets, 0, 1, least) == (true if true >= least else -1)


@pytest.mark.parametrize("least", [0.5, 0.6, 2 / 3, 0.3])
def test_a_similarity_that_is_just_reached_counts(least):
    shared = round(least * 10)
    words = "abcdefghij"
    sets = sets_of(split(pl.Series([" ".join(words), " ".join(words[:shared])])), 1)
    true = shared / 10
    assert ngrams.jaccard(sets.values, sets.offsets, 0, 1, true) == true


@compiled
@given(st.lists(st.lists(WORDS, max_size=4), max_size=4), BITS)
def test_pieces_are_joined_in_order(pieces, bits):
    sets = [sets_of(split(pl.Series(texts, dtype=pl.String)), 2, bits) for texts in pieces]
    whole = sets_of(split(pl.Series([text for texts in pieces for text in texts], dtype=pl.String)), 2, bits)
    joined = ngrams.joined(sets, bits)
    assert (joined.values.dtype, joined.values.tolist()) == (whole.values.dtype, whole.values.tolist())
    assert joined.offsets.tolist() == whole.offsets.tolist()


@compiled
@given(*[st.lists(st.integers(0, 20), unique=True).map(sorted)] * 2, st.integers(0, 12))
def test_what_two_runs_share_is_counted_unless_it_is_too_little(one, other, least):
    values = np.array([*one, *other], np.uint64)
    count = len({*one} & {*other})
    assert ngrams.shared(values, 0, len(one), len(one), values.size, least) == (count if count >= least else -1)


TEMPLATE = (
    "read the note below that a guest left at the desk of our hotel and say which of the four teams should act on it"
)
NOTES = (
    "the shower in my room has been cold since yesterday",
    "could somebody please bring two more pillows upstairs tonight",
    "your bill lists breakfast although we never ate any",
    "i lost a green scarf somewhere near the pool",
    "we would love to stay another night if possible",
    "the people next door play loud music after midnight",
    "my key card stopped opening the garage this morning",
    "is there a vegetarian dish on tonight's menu",
)


def linked(texts, least=8):
    """The pairs that are similar without their templates."""
    sets = without_templates(sequences_of(split(pl.Series(texts)), 5, 32), 5, least)
    pairs = [(one, other) for other in range(len(texts)) for one in range(other)]
    return {pair for pair in pairs if similarity(sets.values, sets.offsets, *pair, 0.5) >= 0.5}


def test_texts_under_one_template_are_compared_by_what_is_their_own():
    texts = [f"{TEMPLATE} {note}" for note in NOTES]
    assert jaccard(texts[0], texts[1], 5) > 0.5
    assert linked(texts) == set()
    assert linked([*texts, f"{TEMPLATE} {NOTES[0]} evening"]) == {(0, 8)}


def test_fewer_texts_than_a_template_takes_are_compared_whole():
    texts = [f"{TEMPLATE} {note}" for note in NOTES[:7]]
    assert len(linked(texts)) == 21


def test_what_is_nothing_but_the_template_is_compared_whole():
    assert linked([TEMPLATE] * 9) == {(one, other) for other in range(9) for one in range(other)}
    variants = [f"{TEMPLATE} {word}" for word in ("soon", "now", "please", "today", "fast", "thanks", "kindly", "once")]
    assert len(linked(variants)) == 28


@compiled
@given(st.lists(WORDS, max_size=8), st.integers(1, 6))
def test_without_templates_the_sets_are_those_of_whole_texts(texts, size):
    words = split(pl.Series(texts, dtype=pl.String))
    whole, own = sets_of(words, size, 32), without_templates(sequences_of(words, size, 32), size, 9)
    assert own.values.tolist() == whole.values.tolist()
    assert own.offsets.tolist() == whole.offsets.tolist()


def test_a_template_is_a_thousandth_of_the_rows_within_limits():
    assert [template_rows(rows) for rows in (10, 8_000, 20_000, 10**6)] == [8, 8, 20, 100]
