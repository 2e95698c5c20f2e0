"""Sets of n-grams: what is in them and shared by two is what sets of Python hold and share."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curation.columns import ngrams
from tuner.curation.columns.ngrams import sets_of
from tuner.curation.columns.words import split

compiled = settings(deadline=None)  # the first call compiles

WORDS = st.lists(st.sampled_from(list("abcd")), max_size=15).map(" ".join)
BITS = st.sampled_from([32, 64])


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
