"""Near duplicates: exactly the pairs that share a band and are similar enough are linked, in any order of the rows."""

from itertools import combinations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import compute

from tests.curation.columns.test_ngrams import NOTES, TEMPLATE, jaccard
from tests.curation.duplicates.test_shingles import loader
from tuner.artifacts import parquet
from tuner.curation.checks.duplicates import Duplicates, Near, Semantic
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import split
from tuner.curation.duplicates import matching, signatures
from tuner.curation.duplicates.clusters import components, representatives
from tuner.curation.duplicates.exact import keys

compiled = settings(max_examples=20)  # the first call compiles, and each writes files

NEAR = Near(on=("instruction", "both"), ngram=2, similarity=0.5)

WORDS = st.lists(st.sampled_from(list("abc")), min_size=1, max_size=6).map(" ".join)
ROW = st.tuples(WORDS, WORDS, st.booleans() | st.just(True), st.sampled_from([0.5, 0.75, float("nan")]))
# Fewer than share the phrases of a template.
ROWS = st.lists(ROW, min_size=1, max_size=7)
FEW = st.lists(ROW, min_size=1, max_size=4)


class Data:
    """Rows (instruction, response, passes, quality) as earlier stages leave them."""

    def __init__(self, folder, rows, near=NEAR, shard_rows=5):
        self._write(folder, [rows[begin : begin + shard_rows] for begin in range(0, len(rows), shard_rows)], near)

    @classmethod
    def of(cls, folder, shards):
        """Rows that are already divided into shards."""
        data = cls.__new__(cls)
        data._write(folder, shards, NEAR)
        return data

    def _write(self, folder, shards, near):
        self.near = near
        self.rows = [row for shard in shards for row in shard]
        self.shards = shards
        self.paths = [folder / f"{number}.parquet" for number in range(len(self.shards))]
        for path, shard in zip(self.paths, self.shards, strict=True):
            first, second = (normalised(pl.Series([row[side] for row in shard], dtype=pl.String)) for side in (0, 1))
            table = pl.DataFrame(
                {
                    "key": keys(first, second),
                    "passes": pl.Series([row[2] for row in shard], dtype=pl.Boolean),
                    "quality": pl.Series([row[3] for row in shard], dtype=pl.Float64),
                    **signatures.columns(split(first), split(second), near),
                }
            )
            parquet.write(table.to_arrow(), path)
        self.keys = pl.concat([pl.read_parquet(path, columns=["key"]) for path in self.paths])["key"].to_numpy()

    def matched(self, of=1, earlier_shards=0):
        texts = loader([[row[:2] for row in shard] for shard in self.shards])
        matches = [
            matching.match(self.paths, texts, Duplicates(near=self.near), number, of, earlier_shards)
            for number in range(of)
        ]
        return pa.concat_tables([one.edges for one in matches]), matches

    def edges(self, of=1):
        return self.matched(of)[0].to_pylist()

    def clusters(self, on, of=1):
        """The clusters by one kind of text, as sets of keys, since rows with one key count as one here."""
        return self.named(self.matched(of)[0], on)

    def named(self, edges, on):
        table = edges.filter(compute.field("on") == on)
        labels = components(len(self.rows), table.column("a").to_numpy(), table.column("b").to_numpy())
        named = {}
        for row, label in enumerate(labels):
            if self.rows[row][2]:
                named.setdefault(label, set()).add(int(self.keys[row]))
        return {frozenset(group) for group in named.values() if len(group) > 1}

    def text(self, row, on):
        instruction, response = self.rows[row][:2]
        return {"instruction": instruction, "response": response, "both": f"{instruction} {response}"}[on]


def row(instruction, response="unlike", passes=True, quality=0.8):
    return (instruction, response, passes, quality)


BREAD = "explain to me in plain words how good bread is made at home"


def test_rows_that_share_most_phrases_are_linked_with_their_similarity(tmp_path):
    other = BREAD.replace("good", "bad")
    data = Data(tmp_path, [row(BREAD, "a b c d e f"), row("what is the capital of france"), row(other, "u v w x y z")])
    assert data.edges() == [
        {"a": 0, "b": 2, "on": "instruction", "similarity": jaccard(BREAD, other, 2)},
    ]


def test_rows_under_the_similarity_are_not_linked(tmp_path):
    other = "explain to me in plain words how a car is driven to work"
    assert 0.3 < jaccard(BREAD, other, 2) < 0.5
    assert Data(tmp_path, [row(BREAD), row(other, "something else")]).edges() == []


def test_rows_under_one_template_are_compared_by_what_is_their_own(tmp_path):
    near = Near(on=("instruction", "both"))
    rows = [row(f"{TEMPLATE} {note}", f"{note} is noted") for note in NOTES]
    again = row(f"{TEMPLATE} {NOTES[3]} today", f"{NOTES[3]} was noted")
    found = Data(tmp_path, [*rows, again], near).edges()
    assert {(edge["a"], edge["b"]) for edge in found} == {(3, 8)}


def test_near_rows_without_blanks_are_linked(tmp_path):
    one = "请为一家新开的面包店写一句简短而有趣的广告语,要提到新鲜的面包和热咖啡"
    other = one.replace("有趣", "动人")
    found = Data(tmp_path, [row(one, "好"), row("请说明怎样在阳台上种番茄", "行"), row(other, "可")], Near()).edges()
    assert {(edge["a"], edge["b"]) for edge in found} == {(0, 2)}


def test_texts_are_compared_in_their_normal_form(tmp_path):
    (edge,) = Data(tmp_path, [row(BREAD, "1 2 3 4 5 6 7"), row(BREAD.upper() + "  ", "7 6 5 4 3 2 1")]).edges()
    assert (edge["on"], edge["similarity"]) == ("instruction", 1)


def test_rejected_rows_are_not_compared(tmp_path):
    data = Data(tmp_path, [row(BREAD, "one"), row(BREAD, "two", passes=False), row(BREAD, "three")])
    assert {(edge["a"], edge["b"]) for edge in data.edges()} == {(0, 2)}


def test_of_exact_duplicates_only_one_is_compared(tmp_path):
    data = Data(tmp_path, [row(BREAD, "one"), row(BREAD, "ONE"), row(BREAD, "one", quality=0.9)])
    table, (metrics,) = data.matched()
    assert table.num_rows == 0
    assert metrics.compared == 1


def test_empty_texts_are_not_near_duplicates(tmp_path):
    near = Near(on=("instruction",))
    assert Data(tmp_path, [row("", "one"), row("", "two"), row("  ", "three")], near).edges() == []


@pytest.mark.parametrize("rows", [[], [row(BREAD, passes=False)]])
def test_nothing_to_compare_is_no_error(rows, tmp_path):
    data = Data(tmp_path, rows or [row(BREAD)])
    assert data.edges() == []


def test_an_empty_shard_is_no_error(tmp_path):
    data = Data(tmp_path, [row(BREAD, "one"), row(BREAD, "two")], shard_rows=1)
    data.shards.insert(1, [])
    data.paths.insert(1, tmp_path / "empty.parquet")
    parquet.write(parquet.read(data.paths[0]).slice(0, 0), data.paths[1])
    assert {(edge["a"], edge["b"]) for edge in data.edges()} == {(0, 1)}


@compiled
@given(ROWS, st.integers(1, 3))
def test_exactly_the_similar_pairs_that_share_a_band_are_linked(tmp_path_factory, rows, of):
    data = Data(tmp_path_factory.mktemp("rows"), rows)
    passing = [number for number, one in enumerate(rows) if one[2]]
    for edge in data.edges(of):
        assert edge["a"] < edge["b"]
        assert edge["similarity"] == jaccard(data.text(edge["a"], edge["on"]), data.text(edge["b"], edge["on"]), 2)
        assert edge["similarity"] >= 0.5
    for on in NEAR.on:
        texts = [data.text(number, on) for number in range(len(rows))]
        bands = signatures.sign(split(pl.Series(texts)), NEAR)
        true = [
            (one, other)
            for one, other in combinations(passing, 2)
            if (bands[one] == bands[other]).any() and jaccard(texts[one], texts[other], 2) >= 0.5
        ]
        true += [(one, other) for one, other in combinations(passing, 2) if data.keys[one] == data.keys[other]]
        labels = components(len(rows), *(np.array([pair[side] for pair in true], np.int64) for side in (0, 1)))
        expected = {frozenset(int(data.keys[row]) for row in passing if labels[row] == label) for label in labels}
        assert data.clusters(on, of) == {group for group in expected if len(group) > 1}


@compiled
@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))), st.integers(1, 9), st.integers(1, 3))
def test_neither_order_nor_shards_nor_partitions_change_the_clusters(tmp_path_factory, drawn, shard_rows, of):
    rows, moved = drawn
    one = Data(tmp_path_factory.mktemp("one"), rows)
    other = Data(tmp_path_factory.mktemp("other"), moved, shard_rows=shard_rows)
    for on in NEAR.on:
        assert one.clusters(on) == other.clusters(on, of)


@compiled
@given(ROWS)
def test_the_rows_that_stay_have_no_near_duplicates_left(tmp_path_factory, rows):
    data = Data(tmp_path_factory.mktemp("all"), rows)
    table, _ = data.matched()
    # One row of each key, as exact duplicates leave them.
    stay = sorted({int(key): row for row, key in reversed(list(enumerate(data.keys))) if rows[row][2]}.values())
    place = {int(data.keys[row]): at for at, row in enumerate(stay)}
    a, b = (np.array([place[int(data.keys[row])] for row in table.column(side).to_pylist()], np.int64) for side in "ab")
    duplicate_of = representatives(
        components(len(stay), a, b),
        np.zeros(len(stay), np.int64),
        np.array([rows[row][3] for row in stay]),
        data.keys[stay],
        pl.Series([str(row) for row in stay]),
    )
    kept = [rows[row] for row, best in zip(stay, duplicate_of, strict=True) if best < 0]
    if kept:
        assert Data(tmp_path_factory.mktemp("kept"), kept).edges() == []


@compiled
@given(FEW, FEW.filter(lambda rows: len(rows) < 4), st.integers(1, 2))
def test_earlier_shards_are_not_compared_again_and_no_pair_is_missed(tmp_path_factory, first, second, of):
    old = Data(tmp_path_factory.mktemp("old"), first)
    both = Data.of(tmp_path_factory.mktemp("both"), [*old.shards, second])
    before, _ = old.matched(of)
    after, _ = both.matched(of, earlier_shards=len(old.shards))
    assert all(edge["b"] >= len(first) for edge in after.to_pylist())
    for on in NEAR.on:
        assert both.named(pa.concat_tables([before, after]), on) == both.clusters(on, of)


def test_thousands_that_share_an_instruction_take_one_comparison_each(tmp_path):
    rows = [row(BREAD, f"answer {number}") for number in range(3000)]
    table, (metrics,) = Data(tmp_path, rows, Near(on=("instruction",)), shard_rows=1000).matched()
    assert table.num_rows == metrics.comparisons == 2999
    assert metrics.unfinished_buckets == 0


def test_a_bucket_too_large_to_finish_is_counted_and_its_best_row_is_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(matching, "COMPARISONS_A_BUCKET", 20)
    # Half of the phrases in common but for one: all meet in some band and none is similar enough.
    common = " ".join(f"c{number}" for number in range(10))
    rows = [
        row(f"{common} {' '.join(f'r{number}n{place}' for place in range(9))}", quality=number / 100)
        for number in range(40)
    ]
    rows.append(row(rows[39][0] + " more", quality=0.1))
    near = Near(on=("instruction",), ngram=1, similarity=0.5)
    table, (metrics,) = Data(tmp_path, rows, near).matched()
    assert metrics.unfinished_buckets > 0
    assert [(edge["a"], edge["b"]) for edge in table.to_pylist()] == [(39, 40)]


def test_planted_edits_of_one_word_in_twenty_are_found_and_nothing_else(tmp_path):
    draw = np.random.default_rng(7)
    vocabulary = np.array([f"w{number}" for number in range(3000)])
    texts = [vocabulary[np.minimum(draw.zipf(1.3, draw.integers(60, 250)), 3000) - 1] for _ in range(1500)]
    for source in range(300):
        edited = texts[source].copy()
        places = draw.choice(edited.size, round(0.05 * edited.size), replace=False)
        edited[places] = [f"edit{number}" for number in range(places.size)]
        texts.append(edited)
    rows = [row(" ".join(text[:20]), " ".join(text[20:])) for text in texts]
    near = Near(on=("both",), ngram=5, similarity=0.5)
    found = [(edge["a"], edge["b"]) for edge in Data(tmp_path, rows, near, shard_rows=500).edges()]
    planted = {(source, 1500 + source) for source in range(300)}
    similar = {pair for pair in planted if jaccard(" ".join(texts[pair[0]]), " ".join(texts[pair[1]]), 5) >= 0.7}
    assert len(set(found) & planted) >= 0.99 * len(found)
    assert len(set(found) & planted) >= 0.95 * len(planted)
    assert len(set(found) & similar) >= 0.97 * len(similar)


@pytest.mark.parametrize(("near", "semantic", "partition", "of"), [(NEAR, None, 1, 1), (None, None, 0, 1)])
def test_a_partition_that_does_not_exist_is_refused(near, semantic, partition, of, tmp_path):
    data = Data(tmp_path, [row(BREAD)])
    duplicates = Duplicates(near=near, semantic=semantic)
    with pytest.raises(ValueError, match="no partition"):
        matching.match(data.paths, loader([]), duplicates, partition, of)


def test_the_partition_after_the_last_compares_vectors(tmp_path):
    data = Data(tmp_path, [row("a", passes=False), row("b"), row("c"), row("d", quality=0.9), row("b")], shard_rows=5)
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0.8, 0.6], [1, 0]], np.float16)
    table = parquet.read(data.paths[0]).append_column(
        "embedding", pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 2)
    )
    parquet.write(table, data.paths[0])
    duplicates = Duplicates(near=NEAR, semantic=Semantic(similarity=0.75))
    matches = matching.match(data.paths, loader([]), duplicates, 2, 2)
    (edge,) = matches.edges.to_pylist()
    assert (edge["a"], edge["b"], edge["on"]) == (1, 3, "semantic")
    assert edge["similarity"] == pytest.approx(0.8, abs=1e-3)
    assert matches.compared == 3
