"""A side to choose by: taken from the training rows alone, near to no other side, and only where it is wanted."""

import hashlib
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.splitting.rows import near_pairs, row, rows, templates
from tests.splitting.test_join import templated
from tests.splitting.test_split_stage import ENOUGH, ids, instructions, sides, split_rows, tickets
from tuner.artifacts import parquet
from tuner.curation.columns.text import normalise
from tuner.errors import StageError
from tuner.splitting import placement, split, writing
from tuner.splitting.shares import side
from tuner.splitting.sides import SIDES, TRAIN, TUNING, VALIDATION, file_of

UNLIKE = rows([f"only{i}" for i in range(60)], "unlike")


def test_without_a_tuning_share_the_files_are_those_of_a_split_without_this_side(tmp_path):
    kept = [*ENOUGH, *rows(templated(60, 3), "near"), *rows(tickets(40), "ticket")]
    for tuning in (None, 0):
        folder = tmp_path / str(tuning)
        metrics, *_ = split_rows(kept, folder, validation=0.3, ngram=2, tuning=tuning)
        assert (metrics.train, metrics.tuning, metrics.validation) == (102, 0, 38)
        assert not {"tuning", "tuning_checks"} & set(metrics.model_dump())
        assert not (folder / "tuning.parquet").exists()
        # Taken before there was this side. Another version of pyarrow or zstd may write other bytes for equal rows.
        assert {name: hashlib.sha256((folder / file_of(name)).read_bytes()).hexdigest() for name in sides(folder)} == {
            "train": "58b893ae9ad2c410204c0a09ad0c137298d7a287226f4a66dea1893695866e53",
            "validation": "69b7b5c3ffa668e363b774d90149905e98c60840a7f51383655040e8236949f4",
        }


def test_every_kept_row_is_on_exactly_one_of_three_sides(tmp_path):
    metrics, *_ = split_rows(ENOUGH, tmp_path, validation=0.3, tuning=0.3)
    written = sides(tmp_path)
    assert list(written) == list(SIDES)
    assert Counter(row["row_id"] for rows in written.values() for row in rows) == Counter(ids(ENOUGH))
    assert {name: ids(rows) for name, rows in written.items()} == {
        name: {row["row_id"] for row in ENOUGH if side(row["instruction"], 0.3, 0.3) == name} for name in SIDES
    }
    assert [metrics.train, metrics.tuning, metrics.validation] == [len(rows) for rows in written.values()]
    clean = metrics.check.model_dump()
    assert (clean["exact_overlap"], clean["near_overlap"]) == (0, 0)
    assert metrics.model_dump()["tuning_checks"] == {"training": clean, "validation": clean}
    schemas = [parquet.read(tmp_path / file_of(name)).schema for name in SIDES]
    assert schemas[0] == schemas[1] == schemas[2]


@settings(max_examples=30)
@given(st.integers(0, 99), st.floats(0.1, 0.7), st.floats(0.01, 0.29))
def test_the_same_bytes_are_held_out_under_every_tuning_share(seed, validation, tuning):
    kept = [*UNLIKE, *rows(templated(25, seed))]
    with tempfile.TemporaryDirectory() as name:
        plain, tuned = Path(name) / "plain", Path(name) / "tuned"
        split_rows(kept, plain, validation=validation, ngram=2)
        try:
            split_rows(kept, tuned, validation=validation, ngram=2, tuning=tuning)
        except StageError as error:
            # Few of 85 rows fall on a side with a small share.
            assert f"{ids_of(kept, plain)} for validation, at least 2 each are needed" in str(error)
            return
        assert (plain / "validation.parquet").read_bytes() == (tuned / "validation.parquet").read_bytes()
        before, after = sides(plain), sides(tuned)
    assert ids(after["train"]) | ids(after["tuning"]) == ids(before["train"])
    assert not ids(after["train"]) & ids(after["tuning"])


def ids_of(kept, folder):
    return len(sides(folder)["validation"])


@settings(max_examples=30)
@given(st.integers(0, 99), st.sampled_from([(0.2, 0.2), (0.3, 0.6)]), st.sampled_from([0.3, 0.5]), st.integers(1, 3))
def test_no_equal_or_near_rows_are_on_two_sides(seed, shares, similarity, ngram):
    kept = [*UNLIKE, *rows([*templated(20, seed), " ONLY1 ", "only2\n"])]
    with tempfile.TemporaryDirectory() as name:
        options = {"validation": shares[0], "tuning": shares[1], "similarity": similarity, "ngram": ngram}
        split_rows(kept, Path(name), **options)
        written = sides(Path(name))
    shared = templates(instructions(kept), ngram)
    for one, other in combinations(SIDES, 2):
        left, right = instructions(written[one]), instructions(written[other])
        assert not set(map(normalise, left)) & set(map(normalise, right))
        assert not near_pairs(left, right, similarity, ngram, shared)


def test_large_clusters_tune_no_more_often_than_single_rows(tmp_path):
    texts = [f"a{i} b{i} c{i} d{i} e{i} f{i} g{i} {j}" for i in range(400) for j in range(5)]
    metrics, *_ = split_rows(rows(texts), tmp_path, validation=0.2, tuning=0.2)
    assert (metrics.clusters, metrics.largest_cluster) == (400, 5)
    assert metrics.tuning / 2000 == pytest.approx(0.2, abs=3 * (0.2 * 0.8 / 400) ** 0.5)


def test_bytes_do_not_depend_on_sharding(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "_GROUP", 7)
    for shards in (1, 3, 40):
        split_rows([*ENOUGH, *rows(tickets(20))], tmp_path / str(shards), shards=shards, validation=0.3, tuning=0.3)
    one, *others = ([(tmp_path / n / file_of(name)).read_bytes() for name in SIDES] for n in ("1", "3", "40"))
    assert all(other == one for other in others)


def test_templates_are_counted_over_all_sides(tmp_path):
    # Exactly as many as make a phrase a template's: without those of one side they would be too few.
    texts = tickets(8)
    assert {side(text, 0.3, 0.3) for text in texts} == set(SIDES)
    metrics, *_ = split_rows([*rows(texts, "ticket"), *UNLIKE], tmp_path, validation=0.3, tuning=0.3)
    assert metrics.check.template_ngrams > 0
    assert set(parquet.read(tmp_path / "templates.parquet")["instructions"].to_pylist()) == {8}


@pytest.mark.parametrize("counts", [(2, 2, 2), (1, 2, 2), (2, 1, 2), (2, 2, 1), (5, 0, 5)])
def test_each_wanted_side_needs_two_rows(tmp_path, counts):
    texts = {name: [] for name in SIDES}
    for i in range(60):
        texts[side(f"text {i}", 0.3, 0.3)].append(f"text {i}")
    kept = rows([text for name, count in zip(SIDES, counts, strict=True) for text in texts[name][:count]])
    if min(counts) == 2:
        metrics, *_ = split_rows(kept, tmp_path, validation=0.3, tuning=0.3)
        assert (metrics.train, metrics.tuning, metrics.validation) == counts
        return
    with pytest.raises(StageError) as raised:
        split_rows(kept, tmp_path, validation=0.3, tuning=0.3)
    line = str(raised.value)
    train, tuning, validation = counts
    assert f"split: {train} rows for training, {tuning} for tuning and {validation} for validation, at least 2" in line
    assert line.endswith("Raise generation.rows, relax curation or change split.validation or split.tuning")
    assert "\n" not in line
    assert not sides(tmp_path)


RIVER = "Tell me all about the people and the beasts that live beside the great river {}"
LEAKS = [
    (TUNING, TRAIN, "tuning rows equal to and {} near training rows"),
    (VALIDATION, TRAIN, "validation rows equal to and {} near training rows"),
    (VALIDATION, TUNING, "validation rows equal to and {} near tuning rows"),
]


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize(("side", "other", "said"), LEAKS)
def test_a_leak_that_was_planted_between_any_two_sides_is_found(tmp_path, monkeypatch, side, other, said, equal):
    planted = {f"unlike-{i}": i % 3 for i in range(12)} | {"leak-0": side, "leak-1": other}
    kept = [*UNLIKE[:12], row("leak-0", RIVER.format("Nile")), row("leak-1", RIVER.format("Nile" if equal else "Po"))]

    def misplaced(kept, former, split):
        found = place(kept, former, split)
        object.__setattr__(found, "sides", np.array(list(planted.values()), np.int8))
        return found

    place = placement.place
    monkeypatch.setattr(split, "place", misplaced)
    with pytest.raises(StageError) as raised:
        split_rows(kept, tmp_path, validation=0.3, tuning=0.3)
    exact = "1" if equal else "0"
    assert f"the leak check found {exact} {said.format(1)}, such as leak-0 and leak-1; the split was" in str(
        raised.value
    )
    assert not sides(tmp_path)


def test_a_tuning_row_near_a_validation_row_is_found_if_clustering_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(placement, "components", lambda sets, similarity: np.arange(len(sets)))
    chosen = [text for text in map(RIVER.format, range(20)) if side(text, 0.3, 0.3) != "train"][:6]
    assert {side(text, 0.3, 0.3) for text in chosen} == {"tuning", "validation"}
    alone = [row for row in UNLIKE if side(row["instruction"], 0.3, 0.3) == "train"]
    with pytest.raises(StageError, match=r"0 validation rows equal to and [1-9]\d* near tuning rows, such as r-"):
        split_rows([*rows(chosen), *alone], tmp_path, validation=0.3, tuning=0.3)
