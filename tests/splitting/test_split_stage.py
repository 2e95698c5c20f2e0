"""Sides depend on the instruction's text and on nothing else."""

import itertools
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.artifacts import parquet
from tuner.curation.text import normalise
from tuner.errors import StageError
from tuner.recipe import Split
from tuner.splitting import stage
from tuner.splitting.stage import side, split

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("instruction", pa.string()),
        ("messages", MESSAGES),
        ("verdict", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("quality", pa.float64()),
    ]
)


def row(row_id, instruction, *reasons):
    messages = [{"role": "user", "content": instruction}, {"role": "assistant", "content": f"answer {row_id}"}]
    return {
        "row_id": row_id,
        "instruction": instruction,
        "messages": messages,
        "verdict": "rejected" if reasons else "kept",
        "reasons": list(reasons),
        "quality": 0.9,
    }


def divided(rows, folder, validation=0.5):
    path = folder / "rows.parquet"
    parquet.write(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    metrics = split(path, Split(validation=validation), folder)
    return metrics, *(parquet.read(folder / f"{name}.parquet").to_pylist() for name in ("train", "validation"))


def ids(rows):
    return {row["row_id"] for row in rows}


ENOUGH = [row(f"enough-{i}", f"Instruction number {i}") for i in range(40)]


def test_kept_rows_stand_on_one_side_each_and_rejected_ones_on_none(tmp_path):
    rejected = row("bad", "Instruction number 1", "toxic")
    metrics, train, validation = divided([*ENOUGH, rejected], tmp_path)
    assert ids(train) | ids(validation) == ids(ENOUGH)
    assert not ids(train) & ids(validation)
    assert metrics == {"train": len(train), "validation": len(validation), "instructions_on_both_sides": 0}


def test_prompt_and_completion_make_the_messages(tmp_path):
    _, train, _ = divided(ENOUGH, tmp_path)
    wanted = {row["row_id"]: row["messages"] for row in ENOUGH}
    for found in train:
        assert list(found) == ["row_id", "prompt", "completion", "messages"]
        assert found["prompt"] == wanted[found["row_id"]][:1]
        assert found["completion"] == wanted[found["row_id"]][1:]
        assert found["messages"] == wanted[found["row_id"]]
    assert parquet.read(tmp_path / "train.parquet").schema.field("prompt").type.value_type == MESSAGES.value_type


def test_instructions_on_both_sides_are_counted(tmp_path, monkeypatch):
    sides = itertools.cycle(["train", "validation"])
    monkeypatch.setattr(stage, "side", lambda instruction, share: next(sides))
    texts = ["Bake bread", " bake BREAD", "Sing", "Dance"]
    assert divided([row(text, text) for text in texts], tmp_path)[0]["instructions_on_both_sides"] == 1


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_is_met(share):
    held_out = sum(side(f"Instruction {i}", share) == "validation" for i in range(4000)) / 4000
    # Three standard deviations of a share of 4,000 draws are at most 0.024.
    assert held_out == pytest.approx(share, abs=0.024)


def test_sides_stay_where_earlier_versions_put_them():
    assert [i for i in range(40) if side(f"Instruction number {i}", 0.1) == "validation"] == [1, 10, 11, 12, 23, 32, 33]


@given(st.text(st.characters(codec="utf-8")), st.floats(0.01, 0.98))
def test_a_larger_share_moves_rows_one_way_only(instruction, share):
    if side(instruction, share) == "validation":
        assert side(instruction, share + 0.01) == "validation"


INSTRUCTIONS = st.one_of(
    st.sampled_from(
        ["Bake bread", " bake  BREAD", "Bake\u00a0bread\n", "Stra\u00dfe", "STRASSE", "caf\u00e9", "Cafe\u0301"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=20),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(INSTRUCTIONS, max_size=20), st.lists(INSTRUCTIONS, max_size=20), st.sampled_from([0.2, 0.5, 0.8]))
def test_equal_instructions_stand_together_and_more_rows_move_none(some, more, share):
    rows = [*ENOUGH, *(row(f"some-{i}", text) for i, text in enumerate(some))]
    added = [row(f"more-{i}", text) for i, text in enumerate(more)]
    with tempfile.TemporaryDirectory() as name:
        metrics, train, validation = divided([*added, *rows], Path(name), share)
        sides = [{normalise(row["messages"][0]["content"]) for row in rows} for rows in (train, validation)]
        assert metrics["instructions_on_both_sides"] == 0
        assert not sides[0] & sides[1]
        _, before, held_out = divided(rows, Path(name), share)
        assert ids(before) <= ids(train)
        assert ids(held_out) <= ids(validation)


def test_too_few_rows_are_explained_in_one_line(tmp_path):
    kept = [row(f"k{i}", text) for i, text in enumerate(["Bake bread"] * 3)]
    fallen = [row("a", "x", "toxic", "duplicate"), row("b", "x", "toxic"), row("c", "x", "short_response")]
    with pytest.raises(StageError) as raised:
        divided([*kept, *fallen], tmp_path)
    line = str(raised.value)
    assert "of 6 rows 3 were kept; rejected: 2 toxic, 1 short_response." in line
    assert "\n" not in line
    assert not (tmp_path / "train.parquet").exists()


@pytest.mark.parametrize(("train", "validation", "fails"), [(2, 2, False), (1, 2, True), (2, 1, True), (0, 0, True)])
def test_each_side_needs_two_rows(tmp_path, train, validation, fails):
    texts = {"train": [], "validation": []}
    for i in range(40):
        texts[side(f"text {i}", 0.5)].append(f"text {i}")
    rows = [row(text, text) for text in texts["train"][:train] + texts["validation"][:validation]]
    if fails:
        with pytest.raises(StageError, match=f"{train} rows for training and {validation} for validation"):
            divided(rows, tmp_path)
    else:
        assert divided(rows, tmp_path)[0]["train"] == 2
