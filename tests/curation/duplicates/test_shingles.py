"""Sets of phrases: what is shared is counted as sets of Python count it."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curation.checks.duplicates import Near
from tuner.curation.columns.words import split
from tuner.curation.duplicates import shingles

compiled = settings(deadline=None)  # the first call compiles

WORDS = st.lists(st.sampled_from(list("abcd")), max_size=15).map(" ".join)
PAIRS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=12)


def phrases(text, size):
    words = text.split()
    return {tuple(words[at : at + size]) for at in range(max(len(words) - size + 1, min(len(words), 1)))}


def jaccard(one, other, size):
    first, second = phrases(one, size), phrases(other, size)
    return len(first & second) / len(first | second) if first | second else 0.0


def loader(shards):
    """Texts as a stage would read them, with a check that each row is read once and in order."""

    def texts(shard, rows):
        assert (np.diff(rows) > 0).all()
        return pl.DataFrame(shards[shard], schema=["instruction", "response"], orient="row")[rows]

    return texts


@compiled
@given(st.lists(WORDS, max_size=8), st.integers(1, 6))
def test_sets_hold_each_phrase_once_in_rising_order(texts, size):
    sets = shingles.of(split(pl.Series(texts, dtype=pl.String)), size)
    assert len(sets) == len(texts)
    for number, text in enumerate(texts):
        found = sets.hashes[sets.offsets[number] : sets.offsets[number + 1]].tolist()
        assert found == sorted(set(found))
        assert len(found) == len(phrases(text, size))


@compiled
@given(WORDS, WORDS, st.integers(1, 6), st.floats(0.01, 1))
def test_jaccard_is_that_of_the_sets_of_phrases(one, other, size, least):
    sets = shingles.of(split(pl.Series([one, other])), size)
    true = jaccard(one, other, size)
    assert shingles.jaccard(sets.hashes, sets.offsets, 0, 1, 0.0) == true
    assert shingles.jaccard(sets.hashes, sets.offsets, 1, 0, 0.0) == true
    if phrases(one, size) | phrases(other, size):
        assert shingles.jaccard(sets.hashes, sets.offsets, 0, 1, least) == (true if true >= least else -1)


@pytest.mark.parametrize("least", [0.5, 0.6, 2 / 3, 0.3])
def test_a_similarity_that_is_just_reached_counts(least):
    sets = shingles.of(split(pl.Series(["a b c d e f g h i j", "a b c d e f g h i j"])), 1)
    shared = round(least * 10)
    words = "abcdefghij"
    sets = shingles.of(split(pl.Series([" ".join(words), " ".join(words[:shared])])), 1)
    true = shared / 10
    assert shingles.jaccard(sets.hashes, sets.offsets, 0, 1, true) == true


@compiled
@given(PAIRS, st.integers(1, 4), st.integers(1, 3), st.data())
def test_gathered_sets_are_those_of_the_rows_wanted_however_they_are_sharded(rows, shard_rows, ngram, data):
    shards = [rows[begin : begin + shard_rows] for begin in range(0, len(rows), shard_rows)]
    subsets = st.sets(st.sampled_from(range(len(rows)))).map(sorted)
    wanted = {on: np.array(data.draw(subsets), np.int64) for on in ("instruction", "response", "both")}
    found = shingles.gather(loader(shards), [len(shard) for shard in shards], wanted, ngram)
    for on, positions in wanted.items():
        texts = [
            {"instruction": rows[row][0], "response": rows[row][1], "both": " ".join(rows[row])}[on]
            for row in positions
        ]
        expected = shingles.of(split(pl.Series(texts, dtype=pl.String)), ngram)
        assert found[on].hashes.tolist() == expected.hashes.tolist()
        assert found[on].offsets.tolist() == expected.offsets.tolist()


def test_nothing_wanted_reads_nothing():
    assert shingles.gather(loader([]), [5, 5], {}, 5) == {}
    found = shingles.gather(loader([]), [5, 5], {"both": np.empty(0, np.int64)}, 5)
    assert len(found["both"]) == 0


def test_many_rows_are_gathered_in_parts():
    rows = [(f"make {row} loaves of bread", f"take {row} eggs") for row in range(5000)]
    positions = np.arange(0, 5000, 3)
    found = shingles.gather(loader([rows]), [5000], {"both": positions}, 3)["both"]
    expected = shingles.of(split(pl.Series([" ".join(rows[row]) for row in positions])), 3)
    assert found.hashes.tolist() == expected.hashes.tolist()


@compiled
@given(PAIRS, st.data())
def test_similarity_is_the_largest_over_the_texts_compared(rows, data):
    row = st.integers(0, len(rows) - 1)
    pairs = data.draw(st.lists(st.tuples(row, row), max_size=6))
    a, b = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    near = Near(on=("instruction", "both"), ngram=2)
    found = shingles.similarity(a, b, [len(rows)], loader([rows]), near)
    assert found.tolist() == [
        max(jaccard(rows[one][0], rows[other][0], 2), jaccard(" ".join(rows[one]), " ".join(rows[other]), 2))
        for one, other in pairs
    ]


def test_texts_are_compared_in_their_normal_form():
    rows = [("Bake  BREAD\tnow", "x"), ("bake bread now", "y")]
    near = Near(on=("instruction",))
    assert shingles.similarity(np.array([0]), np.array([1]), [2], loader([rows]), near).tolist() == [1.0]
