"""The stage as a whole: what it writes and that its counts add up."""

import random
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.artifacts import parquet
from tuner.curation.rules import REASONS
from tuner.curation.stage import check, curate
from tuner.errors import StageError
from tuner.progress import listening
from tuner.recipe import Curation

from .rows import RESPONSE, SCHEMA, good, row, shard

ADDED = {
    "verdict": pa.string(),
    **{
        name: pa.float64()
        for name in (
            "quality",
            "quality_length",
            "quality_language",
            "quality_repetition",
            "quality_format",
            "quality_toxicity",
            "quality_content",
            "repetition_ratio",
        )
    },
    "instruction_words": pa.int32(),
    "response_words": pa.int32(),
    "duplicate_of": pa.string(),
}


def curated(rows, folder, **limits):
    metrics = curate([shard(rows, folder / "shard.parquet")], Curation(**limits), folder)
    return metrics, parquet.read(folder / "rows.parquet")


def by_id(table):
    return {row["row_id"]: row for row in table.to_pylist()}


def test_every_row_stays_in_order_with_its_columns(tmp_path):
    first = shard([good(0), row(1, "", "")], tmp_path / "0.parquet")
    second = shard([row(0, row_id="42-1-0", shard=1, response="No.")], tmp_path / "1.parquet")
    curate([first, second], Curation(), tmp_path)
    table = parquet.read(tmp_path / "rows.parquet")
    before = pa.concat_tables([parquet.read(first), parquet.read(second)])
    assert table.select(SCHEMA.names).equals(before)
    assert {name: table.schema.field(name).type for name in ADDED} == ADDED
    assert pa.types.is_list(table.schema.field("reasons").type)
    assert set(table.column_names) == {*SCHEMA.names, *ADDED, "reasons"}


def test_verdicts_reasons_and_metrics(tmp_path):
    rows = [
        good(0),
        row(1, "", "", response_finish="skipped"),
        row(2, response=RESPONSE.upper(), response_finish="length"),
        row(3, response="Sure!"),
        good(4) | {"instruction": " EXPLAIN how bread number 0 rises.", "response": good(0)["response"]},
    ]
    metrics, table = curated(rows, tmp_path)
    found = by_id(table)
    assert [found[f"42-0-{i}"]["reasons"] for i in range(5)] == [
        [],
        ["empty_instruction", "empty_response"],
        ["cut_response"],
        ["short_response", "response_pattern"],
        ["duplicate"],
    ]
    assert [row["verdict"] for row in table.to_pylist()] == ["kept", *["rejected"] * 4]
    assert [row["duplicate_of"] for row in table.to_pylist()] == [None, None, None, None, "42-0-0"]
    assert (metrics["rows"], metrics["kept"], metrics["rejected"]) == (5, 1, 4)
    nonzero = {name: count for name, count in metrics["reasons"].items() if count}
    assert nonzero == {
        "empty_instruction": 1,
        "empty_response": 1,
        "cut_response": 1,
        "short_response": 1,
        "response_pattern": 1,
        "duplicate": 1,
    }
    assert {name: count for name, count in metrics["funnel"].items() if count} == {
        "empty_instruction": 1,
        "cut_response": 1,
        "short_response": 1,
        "duplicate": 1,
    }
    assert list(metrics["funnel"]) == list(metrics["reasons"]) == [name for name, _ in REASONS]


def test_what_cannot_be_scored_has_no_score(tmp_path):
    _, table = curated([row(0, "", ""), row(1, "Is it so?", "Yes, it is.")], tmp_path)
    empty, short = table.to_pylist()
    assert all(empty[name] is None for name in ADDED if name.startswith("quality") or name == "repetition_ratio")
    assert short["quality"] is not None
    assert short["repetition_ratio"] is None
    assert (short["instruction_words"], short["response_words"]) == (3, 3)


def test_a_low_score_rejects(tmp_path):
    _, table = curated([good(0)], tmp_path)
    score = table.column("quality")[0].as_py()
    assert curated([good(0)], tmp_path, min_quality=score)[0]["kept"] == 1
    assert curated([good(0)], tmp_path, min_quality=score + 0.001)[0]["funnel"]["low_quality"] == 1


def test_a_rejected_row_never_takes_a_good_duplicate_down(tmp_path):
    _, table = curated([row(0, response_finish="length"), row(1)], tmp_path)
    cut, whole = table.to_pylist()
    assert (cut["reasons"], cut["duplicate_of"]) == (["cut_response", "duplicate"], "42-0-1")
    assert (whole["verdict"], whole["duplicate_of"]) == ("kept", None)


def test_empty_rows_are_not_called_duplicates(tmp_path):
    metrics, _ = curated([row(0, "", ""), row(1, "", "")], tmp_path)
    assert metrics["reasons"]["duplicate"] == 0


@pytest.mark.parametrize(("rows", "kept"), [(12, 12), (13, 10)])
def test_the_target_binds_beyond_a_fifth_more(tmp_path, rows, kept):
    metrics, _ = curated([good(i) for i in range(rows)], tmp_path, target=10)
    assert (metrics["kept"], metrics["reasons"]["below_target"]) == (kept, rows - kept)


def test_the_target_keeps_the_best(tmp_path):
    worse = [good(i) | {"response": good(i)["response"].rstrip(".")} for i in range(3)]
    _, table = curated([*worse, good(3), good(4)], tmp_path, target=2)
    assert {name for name, found in by_id(table).items() if found["verdict"] == "kept"} == {"42-0-3", "42-0-4"}
    assert by_id(table)["42-0-0"]["reasons"] == ["below_target"]


def test_of_equal_scores_the_target_keeps_those_drawn_first(tmp_path):
    _, table = curated([row(i, f"Explain bread number {i}.") for i in (10, 9, 2)], tmp_path, target=2)
    assert by_id(table)["42-0-10"]["reasons"] == ["below_target"]


def test_nothing_in_nothing_out(tmp_path):
    metrics, table = curated([], tmp_path)
    assert (metrics["rows"], metrics["kept"], table.num_rows) == (0, 0, 0)


def test_a_shard_given_twice_is_an_error(tmp_path):
    path = shard([good(0)], tmp_path / "0.parquet")
    with pytest.raises(StageError, match="row_id"):
        curate([path, path], Curation(), tmp_path)


@pytest.mark.parametrize(("kept", "rejected", "fallen"), [(2, 2, 2), (1, 2, 1), (2, 1, 2)])
def test_counts_that_do_not_add_up_are_an_error(kept, rejected, fallen):
    with pytest.raises(StageError, match="add up"):
        check({"rows": 3, "kept": kept, "rejected": rejected, "funnel": {"toxic": fallen}})


def test_progress_reaches_the_total(tmp_path):
    paths = [shard([row(i, row_id=str(i))], tmp_path / f"{i}.parquet") for i in range(3)]
    events = []
    with listening(events.append):
        curate(paths, Curation(), tmp_path)
    assert [(event.stage, event.done, event.total) for event in events] == [("curate", i, 3) for i in (1, 2, 3)]


def test_equal_rows_give_equal_bytes(tmp_path):
    for name in "ab":
        curated([good(0), row(1), row(2)], tmp_path / name)
    assert (tmp_path / "a/rows.parquet").read_bytes() == (tmp_path / "b/rows.parquet").read_bytes()


PHRASES = [
    "Explain how bread rises.",
    RESPONSE,
    RESPONSE.lower(),
    "oven " * 12,
    "I cannot help you.",
    "kill",
    "\u4e2d" * 9,
]
TEXT = st.one_of(st.sampled_from(PHRASES), st.text(st.characters(codec="utf-8"), max_size=40))
ROWS = st.lists(st.tuples(TEXT, TEXT, st.sampled_from(["stop", "length"])), max_size=12)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms(use_true_random=False), st.sampled_from([None, 1, 2]))
def test_any_rows_in_any_order(drawn, rng, target):
    rows = [row(i, one, other, response_finish=finish) for i, (one, other, finish) in enumerate(drawn)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        metrics, table = curated(rows, folder, target=target)
        assert metrics["kept"] + sum(metrics["funnel"].values()) == metrics["rows"] == len(rows)
        assert table.column("verdict").to_pylist().count("kept") == metrics["kept"]

        shuffled = random.Random(rng.random()).sample(rows, len(rows))
        assert by_id(curated(shuffled, folder, target=target)[1]) == by_id(table)

        kept = [rows[i] for i, verdict in enumerate(table.column("verdict").to_pylist()) if verdict == "kept"]
        assert curated(kept, folder)[0]["kept"] == len(kept)
