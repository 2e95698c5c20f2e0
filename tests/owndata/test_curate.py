"""Every row of a user's file is kept, rejected with its reasons, or set aside with its line number."""

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tuner.curation.settings import Curation
from tuner.errors import InputError
from tuner.models.resident import release
from tuner.owndata.curate import run
from tuner.owndata.view import summary
from tuner.progress import listening
from tuner.reading import json_source, shards
from tuner.reading.pieces import Names
from tuner.settings import settings as places

from .talk import answered, asked, exchange, lines

MIXED = [
    *(exchange(number) for number in range(8)),
    exchange(3),
    {**exchange(5), "response": answered(5).replace("near", "by", 1)},
    {"instruction": asked(20), "response": "Too short."},
    {"instruction": "", "response": answered(21)},
    {"instruction": asked(22), "response": answered(22) + " Write to anna.smith@gmail.com for more."},
    {"instruction": asked(23), "response": answered(23) + "\n\u202eZażółć 😀 \x00 ﬁne."},
]


def table(folder, name="rows"):
    return pl.concat([pl.read_parquet(path) for path in sorted((folder / name).glob("*.parquet"))])


def verdicts(folder):
    """The verdict of every row by its content, without its id."""
    return Counter(
        (
            row["instruction"],
            row["response"],
            row["verdict"],
            tuple(row["reasons"]),
            tuple(row["marks"]),
            row["quality"],
        )
        for row in table(folder).to_dicts()
    )


def test_the_output_of_a_run(tmp_path):
    path = lines(tmp_path / "mine.jsonl", [*MIXED, "{no", {"instruction": 1, "response": "x"}])
    metrics = run(path, Curation(), tmp_path / "out")
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        "README.md",
        "curation.json",
        "kept",
        "reasons.md",
        "rows",
        "set_aside.jsonl",
        "settings.json",
    ]
    assert json.loads((tmp_path / "out" / "curation.json").read_text()) == metrics.model_dump(mode="json")
    assert metrics.rows == len(MIXED) == metrics.kept + sum(metrics.funnel.values())
    rejected = {name: count for name, count in metrics.funnel.items() if count}
    assert rejected == {"empty_instruction": 1, "short_response": 1, "duplicate": 1, "near_duplicate": 1}
    assert metrics.set_aside == {"not valid JSON": 1, "instruction is a number, not text": 1}
    assert metrics.source.rows == len(MIXED) + 2
    rows = table(tmp_path / "out")
    assert rows["row_id"].to_list() == [f"line-{number:09}" for number in range(1, len(MIXED) + 1)]
    assert rows["response"][-1] == MIXED[-1]["response"]
    assert "anna.smith" not in rows["response"][-2]
    kept = table(tmp_path / "out", "kept")
    assert {"row_id", "messages", "prompt", "completion"} <= set(kept.columns)
    assert len(kept) == metrics.kept


def test_a_path_is_not_read_as_a_glob_pattern(tmp_path, monkeypatch):
    odd = tmp_path / "[a*" / "{b}:cat:"
    odd.mkdir(parents=True)
    monkeypatch.setenv("TUNER_HOME", str(odd / "home"))
    places.cache_clear()
    metrics = run(lines(odd / "mi[n]e.jsonl", MIXED), Curation(), odd / "out")
    assert metrics.rows == len(MIXED)
    assert sum(len(pl.read_parquet(path, glob=False)) for path in (odd / "out" / "kept").iterdir()) == metrics.kept


def test_a_row_that_is_set_aside_has_its_line_and_reason(tmp_path):
    path = lines(tmp_path / "mine.jsonl", ["{'a'}", *MIXED, "", {"response": "ü"}, "[]"])
    run(path, Curation(), tmp_path / "out")
    aside = [
        json.loads(line) for line in (tmp_path / "out" / "set_aside.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    first, second, third = aside
    assert (first["line"], first["begins"]) == (1, "{'a'}")
    assert first["reason"].startswith("not valid JSON: ")
    assert second == {"line": len(MIXED) + 3, "reason": "instruction is missing, not text"}
    assert third == {"line": len(MIXED) + 4, "reason": "not a JSON object", "begins": "[]"}


def test_nulls_of_parquet_are_set_aside(tmp_path):
    rows = [exchange(0), {**exchange(1), "response": None}, exchange(2)]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "mine.parquet")
    metrics = run(tmp_path / "mine.parquet", Curation(), tmp_path / "out")
    assert (metrics.kept, metrics.set_aside) == (2, {"response is missing, not text": 1})
    assert table(tmp_path / "out")["row_id"].to_list() == ["row-000000001", "row-000000003"]
    assert json.loads((tmp_path / "out" / "set_aside.jsonl").read_text())["row"] == 2


def test_a_conversation_keeps_its_turns_and_its_name(tmp_path):
    turns = [
        {"from": "system", "value": "You are kind."},
        {"from": "human", "value": asked(1)},
        {"from": "gpt", "value": answered(1)},
        {"from": "human", "value": asked(2)},
        {"from": "gpt", "value": answered(2)},
    ]
    path = lines(
        tmp_path / "mine.jsonl", [{"id": "one", "conversations": turns}, {"id": "two", "conversations": turns[1:3]}]
    )
    run(path, Curation(), tmp_path / "out")
    kept = {row["row_id"]: row for row in table(tmp_path / "out", "kept").to_dicts()}
    assert list(kept) == ["one", "two"]
    assert [turn["role"] for turn in kept["one"]["prompt"]] == ["system", "user", "assistant", "user"]
    assert kept["one"]["completion"] == [{"role": "assistant", "content": answered(2)}]
    rows = {row["row_id"]: row for row in table(tmp_path / "out").to_dicts()}
    assert rows["one"]["instruction"] == f"{asked(1)}\n\n{asked(2)}"


def test_the_column_of_names_is_looked_for_once(tmp_path, monkeypatch):
    """It takes a sort of all names, which for every row would make a large file take hours."""
    asked_for = []

    class Counted(Names):
        @property
        def unique(self):
            asked_for.append(1)
            return super().unique

    monkeypatch.setattr(json_source, "Names", Counted)
    rows = [{"id": f"name-{number}", **exchange(number)} for number in range(30)]
    metrics = run(lines(tmp_path / "rows.jsonl", rows), Curation(), tmp_path / "out")
    assert (metrics.source.ids, len(asked_for)) == ("id", 1)


def test_other_columns_are_kept_unless_curation_has_a_column_of_that_name(tmp_path):
    other_columns = {"category": "x", "stars": 4.5, "quality": "good", "verdict": "mine", "shard": 7, "tags": ["a"]}
    path = lines(tmp_path / "mine.jsonl", [exchange(number) | other_columns for number in range(3)])
    metrics = run(path, Curation(), tmp_path / "out")
    rows = table(tmp_path / "out")
    assert rows["category"].to_list() == ["x"] * 3
    assert rows["stars"].to_list() == [4.5] * 3
    assert rows["verdict"].to_list() == ["kept"] * 3
    assert rows["shard"].to_list() == [0] * 3
    assert metrics.source.others == ("category", "stars")
    assert metrics.source.left == ("quality", "verdict", "shard", "tags")


def test_balance_by_a_column_of_the_file(tmp_path):
    rows = [{**exchange(number), "category": "ab"[number % 2]} for number in range(8)]
    balanced = Curation.model_validate({"balance": {"by": "category", "at_most": 3}})
    metrics = run(lines(tmp_path / "mine.jsonl", rows), balanced, tmp_path / "out")
    assert (metrics.kept, metrics.funnel["over_balance"]) == (6, 2)
    with pytest.raises(InputError, match="have no column 'category'"):
        run(lines(tmp_path / "other.jsonl", [exchange(0)]), balanced, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_the_size_of_shards_changes_no_row(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.reading.json_source.PIECE_ROWS", 2)
    monkeypatch.setattr("tuner.reading.table_source.PIECE_ROWS", 2)
    path = lines(tmp_path / "mine.jsonl", MIXED)
    if suffix == "parquet":
        path = tmp_path / "mine.parquet"
        parquet.write_table(pa.Table.from_pylist(MIXED), path)
    run(path, Curation(), tmp_path / "one")
    monkeypatch.setattr(shards, "SHARD_ROWS", 4)
    run(path, Curation(), tmp_path / "many")
    assert len(list((tmp_path / "many" / "rows").iterdir())) == 4
    assert table(tmp_path / "many").drop("shard", "index").equals(table(tmp_path / "one").drop("shard", "index"))


def test_a_shard_is_bounded_in_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.reading.json_source.PIECE_ROWS", 1)
    monkeypatch.setattr(shards, "SHARD_BYTES", 1500)
    path = lines(tmp_path / "mine.jsonl", [exchange(number) for number in range(9)])
    run(path, Curation(), tmp_path / "out")
    assert len(list((tmp_path / "out" / "rows").iterdir())) > 1
    assert len(table(tmp_path / "out")) == 9


def test_the_order_of_lines_changes_no_verdict(tmp_path):
    run(lines(tmp_path / "a.jsonl", MIXED), Curation(), tmp_path / "a")
    shuffled = random.Random(5).sample(MIXED, len(MIXED))
    run(lines(tmp_path / "b.jsonl", shuffled), Curation(), tmp_path / "b")
    assert verdicts(tmp_path / "a") == verdicts(tmp_path / "b")


def test_curating_the_kept_rows_again_keeps_them_all(tmp_path):
    first = run(lines(tmp_path / "mine.jsonl", MIXED), Curation(), tmp_path / "first")
    again = run(tmp_path / "first" / "kept" / "00000.parquet", Curation(), tmp_path / "again")
    assert again.rows == again.kept == first.kept
    assert again.source.ids == "row_id"
    assert table(tmp_path / "again", "kept").equals(table(tmp_path / "first", "kept"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.fixed_dictionaries(
    {"instruction": st.text() | VALUES, "response": st.text() | VALUES}, optional={"id": VALUES, "extra": VALUES}
)


@settings(max_examples=25)
@given(st.lists(st.one_of(RECORDS, VALUES, st.just("{")), max_size=12))
def test_the_counts_add_up_for_any_lines(records):
    with tempfile.TemporaryDirectory() as folder:
        written = [each if each == "{" else json.dumps(each) for each in (exchange(0), *records)]
        path = lines(Path(folder) / "mine.jsonl", written)
        metrics = run(path, Curation(), Path(folder) / "out")
        assert metrics.rows + sum(metrics.set_aside.values()) == 1 + len(records)
        assert metrics.kept + sum(metrics.funnel.values()) == metrics.rows
        assert len(table(Path(folder) / "out")) == metrics.rows


def test_a_file_without_rows_to_curate_is_refused_and_leaves_nothing(tmp_path):
    for name, rows, words in (
        ("empty.jsonl", [], "holds no rows"),
        ("blank.jsonl", ["", " "], "holds no rows"),
        (
            "nulls.jsonl",
            [{"instruction": None, "response": "x"}],
            "none of its 1 rows can be curated; of 1: instruction",
        ),
    ):
        with pytest.raises(InputError, match=words):
            run(lines(tmp_path / name, rows), Curation(), tmp_path / "out")
    parquet.write_table(pa.Table.from_pylist(MIXED)[:0], tmp_path / "empty.parquet")
    with pytest.raises(InputError, match="holds no rows"):
        run(tmp_path / "empty.parquet", Curation(), tmp_path / "out")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_kept_rows_and_all_rows_load_offline(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    metrics = run(lines(tmp_path / "mine.jsonl", MIXED), Curation(), tmp_path / "out")
    cache = str(tmp_path / "cache")
    kept = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=cache)
    rows = datasets.load_dataset(str(tmp_path / "out"), "rows", split="rows", cache_dir=cache)
    assert (len(kept), len(rows)) == (metrics.kept, metrics.rows)
    assert kept[0]["completion"][0]["role"] == "assistant"


def test_no_row_may_be_kept(tmp_path):
    path = lines(tmp_path / "mine.jsonl", [{"instruction": "", "response": ""}])
    metrics = run(path, Curation(), tmp_path / "out")
    assert (metrics.rows, metrics.kept) == (1, 0)
    assert "No row was kept." in (tmp_path / "out" / "README.md").read_text()


def test_a_folder_that_is_not_empty_is_not_changed(tmp_path):
    path = lines(tmp_path / "mine.jsonl", MIXED)
    (tmp_path / "out").mkdir()
    run(path, Curation(), tmp_path / "out")
    before = {each: each.stat().st_mtime_ns for each in (tmp_path / "out").rglob("*")}
    with pytest.raises(InputError, match="is not empty; name another folder with --to"):
        run(path, Curation(), tmp_path / "out")
    assert {each: each.stat().st_mtime_ns for each in (tmp_path / "out").rglob("*")} == before


def test_a_failed_run_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 5)
    path = tmp_path / "mine.parquet"
    parquet.write_table(pa.Table.from_pylist([exchange(n) for n in range(20_000)]), path, compression="none")
    whole = path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(whole[:half] + b"\xff" * 20_000 + whole[half + 20_000 :])
    with pytest.raises(InputError):
        run(path, Curation(), tmp_path / "out")
    assert not [each for each in tmp_path.iterdir() if "out" in each.name]


def test_files_of_a_killed_run_are_removed_by_the_next(tmp_path):
    path = lines(tmp_path / "mine.jsonl", [exchange(number % 50) for number in range(20_000)])
    code = (
        "from pathlib import Path; from tuner.owndata.curate import run; "
        "from tuner.curation.settings import Curation; "
        f"run(Path({str(path)!r}), Curation(), Path({str(tmp_path / 'out')!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    partial = tmp_path / ".out.partial"
    end = time.monotonic() + 60
    while not list(partial.glob("scratch/00000/*")) and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert partial.exists() and not (tmp_path / "out").exists()
    run(lines(path, MIXED), Curation(), tmp_path / "out")
    assert not partial.exists()
    assert len(table(tmp_path / "out")) == len(MIXED)


def test_every_step_reports_its_progress(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 5)
    monkeypatch.setattr("tuner.reading.json_source.PIECE_ROWS", 5)
    events = []
    with listening(events.append):
        run(lines(tmp_path / "mine.jsonl", MIXED), Curation(), tmp_path / "out")
    assert {event.stage for event in events} == {"read", "examine", "match", "curate"}
    last = [event for event in events if event.stage == "read"][-1]
    assert (last.done, last.total) == (len(MIXED), len(MIXED))
    assert sum(event.figures["rows"] for event in events if event.stage == "examine") == len(MIXED)


def test_what_was_not_read_is_counted_and_said(tmp_path):
    call = {"from": "function_call", "value": '{"name": "look", "arguments": {}}'}
    rows = [
        {
            "conversations": [
                {"from": "human", "value": asked(1), "weight": 0},
                call,
                {"from": "observation", "value": "seen"},
                {"from": "gpt", "value": answered(1)},
                {"from": "human", "value": "thanks"},
            ],
            "tools": '[{"name": "look"}]',
            "label": False,
            "scores": [1],
        },
        {
            "conversations": [{"from": "human", "value": asked(2)}, {"from": "gpt", "value": answered(2)}],
            "images": ["a.png"],
        },
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    lines(folder / "a.jsonl", rows)
    (folder / "b.csv").write_text(f"instruction,context,response,label\n{asked(3)},A passage.,{answered(3)},true\n")
    (folder / "notes.txt").write_text("x")
    metrics = run(folder, Curation(), tmp_path / "out")
    source = metrics.source
    assert (source.file, source.files) == ("a.jsonl and 1 more", ("a.jsonl", "b.csv"))
    assert (source.left, source.unread_files, source.others) == (("scores",), ("notes.txt",), ("label",))
    assert (source.cut_turns, source.undesired) == (1, 1)
    assert source.unread_keys == {"conversations[].weight": 1}
    assert metrics.set_aside == {"the row has images, and only text is read": 1}
    assert json.loads((tmp_path / "out" / "set_aside.jsonl").read_text())["file"] == "a.jsonl"
    card = (tmp_path / "out" / "README.md").read_text()
    for note in ("scores", "notes.txt", "weight", "cut off: 1", "bad examples by their label"):
        assert note in card
        assert note in summary(metrics, Curation(), tmp_path / "out")
    found = table(tmp_path / "out").sort("row_id")
    assert found["row_id"].to_list() == ["a.jsonl:line-000000001", "b.csv:row-000000001"]
    assert found["tools"].to_list() == ['[{"name":"look"}]', None]
    first, second = found["messages"].to_list()
    assert [turn["role"] for turn in first] == ["user", "assistant", "tool", "assistant"]
    assert second[0]["content"] == f"{asked(3)}\n\nA passage."
    assert "tools" in table(tmp_path / "out", "kept").columns


def test_personal_data_in_the_descriptions_of_tools_are_masked(tmp_path):
    tool = {"name": "mail", "description": "Sends\nanna.smith@gmail.com a note."}
    rows = [{**exchange(0), "tools": [tool]}, {**exchange(1), "tools": json.dumps([tool])}, exchange(2)]
    metrics = run(lines(tmp_path / "mine.jsonl", rows), Curation(), tmp_path / "out")
    masked = json.dumps([{**tool, "description": "Sends\n[EMAIL] a note."}], separators=(",", ":"))
    for name in ("rows", "kept"):
        assert table(tmp_path / "out", name)["tools"].to_list() == [masked, masked, None]
    assert (metrics.masked_columns, metrics.marks["personal_data"]) == ({"tools": 2}, 2)


def test_keys_of_later_rows_are_read_or_named(tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.reading.json_source.SAMPLE", 1)
    late = {**exchange(1), "context": "By the sea.", "tools": [{"name": "sum"}], "note": "x"}
    metrics = run(lines(tmp_path / "mine.jsonl", [exchange(0), late]), Curation(), tmp_path / "out")
    assert metrics.source.left == ("note",)
    rows = table(tmp_path / "out")
    assert rows["instruction"][1].endswith("By the sea.")
    assert rows["tools"].to_list() == [None, '[{"name":"sum"}]']


def test_a_column_of_tools_that_the_mapping_does_not_name_is_not_read(tmp_path):
    path = lines(tmp_path / "mine.jsonl", [{**exchange(0), "tools": "hammer"}])
    columns = {"prompt": "instruction", "response": "response"}
    metrics = run(path, Curation(), tmp_path / "out", columns=columns)
    assert (metrics.source.others, metrics.source.left) == ((), ("tools",))
    assert "tools" not in table(tmp_path / "out", "kept").columns


@pytest.mark.usefixtures("float32")
def test_models_judge_the_rows_that_pass(tmp_path, tiny):
    file = lines(tmp_path / "rows.jsonl", [*MIXED, {**exchange(30), "tag_quality": "mine"}])
    curation = Curation.model_validate({"judging": {"judge": str(tiny), "tags": ["quality"]}})
    try:
        run(file, curation, tmp_path / "to")
    finally:
        release()
    rows = table(tmp_path / "to")
    passed = [{*reasons} <= {"duplicate", "near_duplicate"} for reasons in rows["reasons"]]
    assert rows["tag_quality"].is_not_null().to_list() == passed
    assert True in passed and False in passed
    assert "mine" not in rows["tag_quality"]
