"""Sets of phrases and similarities do not depend on how the rows are sharded."""

from typing import Any, get_args

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curation.columns.test_ngrams import WORDS, jaccard
from tuner.curation.checks.duplicates import Near, Text
from tuner.curation.columns.ngrams import sets_of
from tuner.curation.columns.words import split
from tuner.curation.duplicates import shingles

compiled = settings(deadline=None)  # the first call compiles

PAIRS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=12)


def loader(shards):
    """Texts as a stage would read them, with a check that each row is read once and in order."""

    def texts(shard, rows):
        assert (np.diff(rows) > 0).all()
        return pl.DataFrame(shards[shard], schema=["instruction", "response"], orient="row")[rows]

    return texts


@compiled
@given(PAIRS, st.integers(1, 4), st.integers(1, 3), st.data())
def test_gathered_sets_do_not_depend_on_the_sharding(rows, shard_rows, ngram, data):
    shards = [rows[begin : begin + shard_rows] for begin in range(0, len(rows), shard_rows)]
    subsets = st.sets(st.sampled_from(range(len(rows)))).map(sorted)
    wanted: dict[Text, Any] = {on: np.array(data.draw(subsets), np.int64) for on in get_args(Text)}
    sets = shingles.gather(loader(shards), [len(shard) for shard in shards], wanted, ngram)
    for on, positions in wanted.items():
        texts = [
            {"instruction": rows[row][0], "response": rows[row][1], "both": " ".join(rows[row])}[on]
            for row in positions
        ]
        expected = sets_of(split(pl.Series(texts, dtype=pl.String)), ngram, 32)
        assert sets[on].values.tolist() == expected.values.tolist()
        assert sets[on].offsets.tolist() == expected.offsets.tolist()


def test_without_wanted_rows_nothing_is_read():
    assert shingles.gather(loader([]), [5, 5], {}, 5) == {}
    sets = shingles.gather(loader([]), [5, 5], {"both": np.empty(0, np.int64)}, 5)
    assert len(sets["both"]) == 0


def test_many_rows_are_gathered_in_parts():
    rows = [(f"make {row} loaves of bread", f"take {row} eggs") for row in range(5000)]
    positions = np.arange(0, 5000, 3)
    sets = shingles.gather(loader([rows]), [5000], {"both": positions}, 3)["both"]
    expected = sets_of(split(pl.Series([" ".join(rows[row]) for row in positions])), 3, 32)
    assert sets.values.tolist() == expected.values.tolist()


@compiled
@given(PAIRS, st.data())
def test_similarity_is_the_largest_over_the_texts_compared(rows, data):
    row = st.integers(0, len(rows) - 1)
    pairs = data.draw(st.lists(st.tuples(row, row), max_size=6))
    a, b = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    near = Near(on=("instruction", "both"), ngram=2)
    sets = shingles.similarity(a, b, [len(rows)], loader([rows]), near)
    assert sets.tolist() == [
        max(jaccard(rows[one][0], rows[other][0], 2), jaccard(" ".join(rows[one]), " ".join(rows[other]), 2))
        for one, other in pairs
    ]


def test_texts_are_compared_in_their_normal_form():
    rows = [("Bake  BREAD\tnow", "x"), ("bake bread now", "y")]
    near = Near(on=("instruction",))
    assert shingles.similarity(np.array([0]), np.array([1]), [2], loader([rows]), near).tolist() == [1.0]
