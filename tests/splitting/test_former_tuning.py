"""Rows of a former split keep their sides, whether it, the new one, both or neither have rows to choose by.

Without a tuning side the former's tuning rows train: never are they held out for the verdict.
"""

import tempfile
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.splitting.rows import near_pairs, row, rows, templates, write
from tests.splitting.test_former_split import variants
from tests.splitting.test_join import templated
from tests.splitting.test_split_stage import ids, instructions, sides, split_rows
from tuner.artifacts import parquet
from tuner.errors import StageError
from tuner.splitting.rows import Former
from tuner.splitting.shares import side
from tuner.splitting.sides import SIDES, file_of

SHARES = [0, 0.3]
UNLIKE = rows([f"only{i}" for i in range(60)], "unlike")
MORE = rows([f"more{i}" for i in range(60)], "more")


def of(folder):
    """The split in a folder as a former one."""
    files = {SIDES.index(name): folder / file_of(name) for name in sides(folder)}
    return Former(files, folder / "templates.parquet")


def made(folder, **rows_of):
    """A former split with these rows, whatever their hashes."""
    return Former({SIDES.index(name): write(rows_of[name], folder / f"former-{name}") for name in rows_of}, None)


def kept_side(name, tuning):
    return name if tuning or name != "tuning" else "train"


@pytest.mark.parametrize("tuning", SHARES)
@pytest.mark.parametrize("before", SHARES)
def test_rows_keep_their_sides_under_other_shares(tmp_path, before, tuning):
    split_rows(UNLIKE, tmp_path / "one", validation=0.2, tuning=before)
    former = sides(tmp_path / "one")
    assert list(former) == [name for name in SIDES if before or name != "tuning"]
    # Under these shares the hashes of all former tuning rows are those of validation rows.
    metrics, *_ = split_rows([*UNLIKE, *MORE], tmp_path / "two", of(tmp_path / "one"), validation=0.5, tuning=tuning)
    after = sides(tmp_path / "two")
    assert list(after) == [name for name in SIDES if tuning or name != "tuning"]
    for name, rows_of_side in former.items():
        assert ids(rows_of_side) <= ids(after[kept_side(name, tuning)])
    for new in MORE:
        assert new["row_id"] in ids(after[side(new["instruction"], 0.5, tuning)])
    assert (metrics.former_rows, metrics.left_out) == (len(UNLIKE), 0)


@settings(max_examples=25)
@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from(SHARES), st.sampled_from(SHARES), st.booleans())
def test_adding_rows_moves_none_and_leaks_nothing(seed, more, before, tuning, regenerated):
    first = [*UNLIKE, *rows(templated(25, seed), "old")]
    new = rows([*templated(25, seed)[:10], *templated(25, more)], "new")
    second = [*new, *MORE, *(UNLIKE if regenerated else first)]
    with tempfile.TemporaryDirectory() as name:
        one, two = Path(name) / "one", Path(name) / "two"
        split_rows(first, one, validation=0.3, ngram=2, tuning=before)
        metrics, *_ = split_rows(second, two, of(one), validation=0.3, ngram=2, tuning=tuning)
        former, after = sides(one), sides(two)
        left_out = parquet.read(two / "left_out.parquet").to_pylist()
    by_side = {name: [*after[name]] for name in after}
    for name, rows_of_side in former.items():
        assert ids(rows_of_side) & ids(second) <= ids(after[kept_side(name, tuning)])
        by_side[kept_side(name, tuning)] += rows_of_side
    assert sorted(row["row_id"] for each in (*after.values(), left_out) for row in each) == sorted(ids(second))
    assert ids(left_out) <= ids(new)
    assert metrics.former_rows == len(ids(first) & ids(second))
    # Nor do they leak with former rows that are not kept.
    shared = templates(instructions(first), 2)
    for left, right in combinations(by_side.values(), 2):
        assert not near_pairs(instructions(left), instructions(right), 0.5, 2, shared)


def near_rows(wanted):
    """Two near rows whose cluster is on a side by its hashes: an old one and a new one."""
    texts = variants(60)
    for one in texts:
        for two in texts:
            together = {side(text, 0.3, 0.3) for text in (one, two)}
            if one != two and together == {wanted}:
                return row("old", one), row("new", two)
    raise AssertionError("60 variants hold no such pair")


@pytest.mark.parametrize(("old_side", "wanted"), [(one, other) for one in SIDES for other in SIDES if one != other])
def test_a_new_row_near_any_other_side_is_left_out(tmp_path, old_side, wanted):
    old, new = near_rows(wanted)
    rows_of = {name: [row for row in UNLIKE if side(row["instruction"], 0.3, 0.3) == name] for name in SIDES}
    rows_of[old_side] = [*rows_of[old_side], old]
    metrics, *_ = split_rows([*UNLIKE, old, new], tmp_path, made(tmp_path, **rows_of), validation=0.3, tuning=0.3)
    assert "old" in ids(sides(tmp_path)[old_side])
    assert metrics.left_out == 1
    assert parquet.read(tmp_path / "left_out.parquet").to_pylist() == [
        {"row_id": "new", "reason": "near_other_side", "near": "old"}
    ]


def test_without_a_tuning_side_a_new_row_near_a_former_tuning_row_is_not_held_out(tmp_path):
    old, new = near_rows("validation")
    former = made(tmp_path, train=UNLIKE[:2], tuning=[old], validation=UNLIKE[2:4])
    metrics, *_ = split_rows([*UNLIKE, old, new], tmp_path / "kept", former, validation=0.6)
    assert "old" in ids(sides(tmp_path / "kept")["train"])
    assert metrics.left_out == 1
    # Nor is it if the former row is no longer kept.
    split_rows([*UNLIKE, new], tmp_path / "not", former, validation=0.6)
    assert parquet.read(tmp_path / "not" / "left_out.parquet")["near"].to_pylist() == ["old"]


@pytest.mark.parametrize("tuning", SHARES)
def test_a_former_row_on_several_sides_is_refused(tmp_path, tuning):
    for one, other in combinations(SIDES, 2):
        rows_of = {name: UNLIKE[5 * i : 5 * i + 5] for i, name in enumerate(SIDES)}
        rows_of[other] = [*rows_of[other], rows_of[one][0]]
        name = rows_of[one][0]["row_id"]
        with pytest.raises(StageError, match=f"1 rows on several sides, such as {name}$"):
            split_rows(UNLIKE, tmp_path, made(tmp_path, **rows_of), validation=0.3, tuning=tuning)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("tuning", "train", "1 tuning rows are near training rows"),
        ("validation", "train", "1 validation rows are near training rows"),
        ("validation", "tuning", "1 validation rows are near tuning rows"),
    ],
)
def test_a_former_split_that_leaks_between_any_two_sides_is_refused(tmp_path, one, other, said):
    left, right = (row(f"leak-{i}", text) for i, text in enumerate(variants(2)))
    rows_of = {name: UNLIKE[5 * i : 5 * i + 5] for i, name in enumerate(SIDES)}
    rows_of |= {one: [*rows_of[one], left], other: [*rows_of[other], right]}
    former = made(tmp_path, **rows_of)
    with pytest.raises(StageError, match=f"in the former split {said}, such as leak-0 and leak-1, so keeping"):
        split_rows([*UNLIKE, left, right], tmp_path, former, validation=0.3, tuning=0.3)


def test_a_tuning_share_that_finds_no_new_rows_is_explained(tmp_path):
    split_rows(UNLIKE, tmp_path / "one", validation=0.3)
    with pytest.raises(StageError) as raised:
        split_rows(UNLIKE, tmp_path / "two", of(tmp_path / "one"), validation=0.3, tuning=0.3)
    line = str(raised.value)
    assert ", 0 for tuning and " in line
    assert "; 60 keep their sides of split.former. Raise generation.rows" in line
    assert "\n" not in line
