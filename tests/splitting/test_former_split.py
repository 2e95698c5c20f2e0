"""With a former split its rows keep their sides, and new rows near its other side are left out."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.splitting.rows import jaccard, near_pairs, row, rows, templates, write
from tests.splitting.test_join import templated
from tests.splitting.test_split_stage import ENOUGH, ids, instructions, letters, split_rows, tickets
from tuner.artifacts import parquet
from tuner.curation.columns.text import normalise
from tuner.errors import StageError
from tuner.splitting.rows import Former
from tuner.splitting.shares import hashes, side
from tuner.splitting.sides import TRAIN, VALIDATION


def former(train, validation, folder, templates=None):
    one, other = (write(rows, folder / f"former-{name}.parquet") for name, rows in (("t", train), ("v", validation)))
    return Former({TRAIN: one, VALIDATION: other}, templates)


def phrases(folder):
    return parquet.read(folder / "templates.parquet")


def variants(number):
    """Texts of one cluster, all near one another."""
    return [f"Write a long and quite detailed story about a brave old captain of ship {i}" for i in range(number)]


def near_texts(alone, together):
    """Two near texts: the first is on one side alone, and both are on the other as a cluster."""
    texts = variants(60)
    for one, first in zip(texts, hashes(map(normalise, texts)), strict=True):
        for two, second in zip(texts, hashes(map(normalise, texts)), strict=True):
            if side(one, 0.5) == alone and side(two, 0.5) == together and second[1] < first[1]:
                return one, two
    raise AssertionError("60 variants hold no such pair")


@pytest.mark.parametrize(("alone", "together"), [("train", "validation"), ("validation", "train")])
def test_a_new_row_near_the_other_side_is_left_out(tmp_path, alone, together):
    old, new = near_texts(alone, together)
    _, train, validation = split_rows([*ENOUGH, row("old", old)], tmp_path / "one")
    before = former(train, validation, tmp_path)
    metrics, *after = split_rows([*ENOUGH, row("old", old), row("new", new)], tmp_path / "two", before)
    assert [ids(rows) for rows in after] == [ids(train), ids(validation)]
    assert metrics.left_out == 1
    assert metrics.former_rows == len(ENOUGH) + 1
    assert parquet.read(tmp_path / "two" / "left_out.parquet").to_pylist() == [
        {"row_id": "new", "reason": "near_other_side", "near": "old"}
    ]


def test_former_rows_that_are_not_kept_exclude_near_rows_and_are_not_written(tmp_path):
    old, new = near_texts("train", "validation")
    _, train, validation = split_rows([*ENOUGH, row("old", old)], tmp_path / "one")
    before = former(train, validation, tmp_path)
    metrics, *after = split_rows([*ENOUGH, row("new", new)], tmp_path / "two", before)
    assert ids(after[0]) | ids(after[1]) == ids(ENOUGH)
    assert parquet.read(tmp_path / "two" / "left_out.parquet")["near"].to_pylist() == ["old"]
    assert metrics.former_rows == len(ENOUGH)


def test_the_named_near_row_is_the_first_by_row_id(tmp_path):
    old, new = near_texts("train", "validation")
    before = former([row("b", old), row("a", old), row("c", new)], [], tmp_path)
    split_rows([*ENOUGH, row("new", new)], tmp_path, before)
    assert parquet.read(tmp_path / "left_out.parquet")["near"].to_pylist() == ["a"]


def test_a_row_is_identified_by_row_id_and_text(tmp_path):
    # The same row_id with another text is another row: two generators may use the same row_ids.
    before = former([row("enough-1", "Something else")], [row("other", "Instruction number 2")], tmp_path)
    metrics, train, validation = split_rows(ENOUGH, tmp_path, before)
    plain = split_rows(ENOUGH, tmp_path / "plain")
    assert metrics.former_rows == 0
    left_out = {"enough-2"} if side("Instruction number 2", 0.5) == "train" else set()
    assert ids(train) == ids(plain[1]) - left_out
    assert ids(validation) == ids(plain[2])


def test_rows_keep_sides_that_differ_from_their_hash(tmp_path):
    _, train, validation = split_rows(ENOUGH, tmp_path / "one")
    before = former(validation, train, tmp_path)
    metrics, *after = split_rows(ENOUGH, tmp_path / "two", before)
    assert [ids(rows) for rows in after] == [ids(validation), ids(train)]
    assert metrics.former_rows == len(ENOUGH)


def test_a_row_near_rows_of_both_sides_is_left_out(tmp_path):
    words = [f"w{index}" for index in range(16)]
    left, between, right = (" ".join(words[at : at + 12]) for at in (0, 2, 4))
    assert jaccard(left, between) >= 0.5 > jaccard(left, right)
    before = former([row("left", left)], [row("right", right)], tmp_path)
    kept = [*ENOUGH, row("left", left), row("between", between), row("right", right)]
    _, train, validation = split_rows(kept, tmp_path, before)
    assert "left" in ids(train)
    assert "right" in ids(validation)
    assert "between" not in ids(train) | ids(validation)


def test_a_former_split_that_leaks_is_refused(tmp_path):
    one, two, *_ = variants(2)
    before = former([row("one", one)], [row("two", two)], tmp_path)
    with pytest.raises(StageError, match="1 validation rows are near training rows, such as two and one"):
        split_rows([*ENOUGH, row("one", one), row("two", two)], tmp_path, before)
    # A row that is not kept cannot leak.
    assert "one" in ids(split_rows([*ENOUGH, row("one", one)], tmp_path, before)[1])


def test_templates_are_those_of_the_first_split(tmp_path):
    old = rows(tickets(20), "old")
    first, train, validation = split_rows(old, tmp_path / "one")
    before = former(train, validation, tmp_path, tmp_path / "one" / "templates.parquet")
    # Among so many rows 21 would have to share a phrase, and the old ones would be near by their task.
    kept = [*old, *rows((f"say{i} why{i} so{i} and{i} not{i}" for i in range(21_000)), "new")]
    metrics, *after = split_rows(kept, tmp_path / "two", before)
    assert (metrics.former_rows, metrics.left_out, metrics.largest_cluster) == (20, 0, 1)
    assert metrics.check.template_ngrams == first.check.template_ngrams > 0
    assert [ids(train) <= ids(after[0]), ids(validation) <= ids(after[1])] == [True, True]
    assert phrases(tmp_path / "two") == phrases(tmp_path / "one")


def test_no_phrase_becomes_a_templates_as_rows_are_added(tmp_path):
    # Near by what they end with, were the beginnings of templates; seven have each, and eight would have to.
    beginnings = ["Count the words of this letter without its greeting:", "Who may have sent us these lines, and why?"]
    ends = letters(7)
    old = rows([f"{beginning} {end}" for beginning in beginnings for end in ends], "old")
    first, train, validation = split_rows([*old, *ENOUGH], tmp_path / "one")
    assert any((f"old-{i}" in ids(train)) != (f"old-{i + 7}" in ids(train)) for i in range(7))
    before = former(train, validation, tmp_path, tmp_path / "one" / "templates.parquet")
    new = rows([f"{beginning} {end}" for beginning in beginnings for end in letters(20, seed=1)], "new")
    metrics, *after = split_rows([*old, *ENOUGH, *new], tmp_path / "two", before)
    assert metrics.former_rows == len(old) + len(ENOUGH)
    assert metrics.check.template_ngrams == first.check.template_ngrams
    assert [ids(train) <= ids(after[0]), ids(validation) <= ids(after[1])] == [True, True]


def test_a_template_that_only_new_rows_have_leaks_nothing(tmp_path):
    _, train, validation = split_rows(ENOUGH, tmp_path / "one")
    before = former(train, validation, tmp_path, tmp_path / "one" / "templates.parquet")
    new = rows(tickets(200), "new")
    metrics, *after = split_rows([*ENOUGH, *new], tmp_path / "two", before)
    assert (metrics.largest_cluster, metrics.check.near_overlap, metrics.check.template_ngrams) == (200, 0, 0)
    assert ids(new) <= ids(after[0]) or ids(new) <= ids(after[1])
    # Nor in the round after, whose former split is this one.
    before = former(after[0], after[1], tmp_path, tmp_path / "two" / "templates.parquet")
    metrics, *last = split_rows([*ENOUGH, *new, *rows(tickets(50, seed=1), "newer")], tmp_path / "three", before)
    assert (metrics.former_rows, metrics.check.near_overlap) == (240, 0)
    assert ids(after[0]) <= ids(last[0])
    assert phrases(tmp_path / "three").num_rows == 0


def test_a_former_split_with_a_row_on_both_sides_is_refused(tmp_path):
    before = former(ENOUGH[:2], ENOUGH[1:], tmp_path)
    with pytest.raises(StageError, match="1 rows on several sides, such as enough-1"):
        split_rows(ENOUGH, tmp_path, before)


def test_too_few_rows_are_explained_by_those_left_out(tmp_path):
    kept = rows([f"Instruction number {i}" for i in range(4)])
    train, validation = (
        [row(f"old-{kept['row_id']}", kept["instruction"]) for kept in kept if side(kept["instruction"], 0.5) == s]
        for s in ("validation", "train")
    )
    with pytest.raises(StageError, match="1 short_response; left out: 4 near_other_side"):
        split_rows(kept, tmp_path, former(train, validation, tmp_path))


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from([0.3, 0.5]), st.integers(1, 3), st.booleans())
def test_adding_rows_moves_none_and_leaks_nothing(seed, more, similarity, ngram, regenerated):
    settings = {"similarity": similarity, "ngram": ngram}
    unlike = rows([f"only{i}" for i in range(40)], "unlike")
    first = [*unlike, *rows(templated(25, seed), "old")]
    new = rows([*templated(25, seed)[:10], *templated(25, more)], "new")
    second = new + (unlike if regenerated else first)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, train, validation = split_rows(first, folder / "one", **settings)
        before = former(train, validation, folder, folder / "one" / "templates.parquet")
        metrics, *after = split_rows(second, folder / "two", before, **settings)
        left_out = parquet.read(folder / "two" / "left_out.parquet").to_pylist()
    assert ids(train) & ids(second) <= ids(after[0])
    assert ids(validation) & ids(second) <= ids(after[1])
    assert ids(after[0]) | ids(after[1]) | ids(left_out) == ids(second)
    assert len(after[0]) + len(after[1]) + len(left_out) == len(second)
    # Nor do they leak with former rows that are not kept.
    sides = (instructions([*rows, *old]) for rows, old in zip(after, (train, validation), strict=True))
    shared = templates(instructions(first), ngram)
    one, other = sides
    assert not near_pairs(one, other, similarity, ngram, shared)
    assert ids(left_out) <= ids(new)
    by_id = {row["row_id"]: row["prompt"][0]["content"] for row in [*first, *second]}
    for excluded in left_out:
        assert jaccard(by_id[excluded["row_id"]], by_id[excluded["near"]], ngram, shared) >= similarity
    assert metrics.former_rows == len(ids(first) & ids(second))
