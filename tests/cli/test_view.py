"""The live view: the states of every stage, and drawing them at any time."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from cli.view import Row, View, watching
from tuner import loading, planning
from tuner.artifacts.store import Store
from tuner.planning import Plan
from tuner.progress import Event, emit

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 30, shard_rows: 10}
training:
  lora: {method: lora}
  prompt_tuning: {method: prompt_tuning}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return planning.plan(loading.parse(RECIPE), Store(str(tmp_path / "store")))


@pytest.fixture
def view(plan: Plan) -> View:
    return View(plan)


def row(view: View, stage: str, label: str | None = None) -> Row:
    return next(row for row in view._rows if row.stage == stage and (label is None or row.labels == [label]))


def drawn(view: View) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def line(view: View, start: str) -> str:
    return next(text for text in drawn(view).splitlines() if start in text)


def test_there_is_a_row_for_each_stage_and_each_adapter(view: View) -> None:
    assert [(r.stage, len(r.labels)) for r in view._rows] == [
        ("generate", 3),
        ("examine", 3),
        ("match", 1),
        ("curate", 1),
        ("split", 1),
        ("train", 1),
        ("train", 1),
        ("evaluate", 1),
        ("report", 1),
    ]
    assert {r.state for r in view._rows} == {"waiting"}


def test_a_stage_waits_then_runs_then_is_done(view: View) -> None:
    split = row(view, "split")
    view.handle(Event("split", done=0, total=10))
    assert (split.state, split.share) == ("running", 0.0)
    view.handle(Event("split", done=5, total=10))
    assert (split.state, split.share) == ("running", 0.5)
    view.handle(Event("split", state="done", done=1, total=1))
    assert (split.state, split.share) == ("done", 1.0)
    assert split.ended is not None


def test_a_cached_stage_is_marked(view: View) -> None:
    view.handle(Event("curate", state="cached", done=1, total=1))
    assert (row(view, "curate").state, row(view, "curate").share) == ("cached", 1.0)
    assert "cached" in line(view, "curate")


def test_shards_add_up(view: View) -> None:
    generate = row(view, "generate")
    view.handle(Event("generate", "shard 1", state="cached", done=1, total=1))
    assert generate.state == "waiting"
    view.handle(Event("generate", "shard 2", done=10, total=20, figures={"tokens/s": 81.4}))
    assert generate.state == "running"
    assert generate.share == pytest.approx(0.5)
    assert "shard 2 of 3" in line(view, "generate")
    assert "81 tokens/s" in line(view, "generate")
    view.handle(Event("generate", "shard 2", state="done", done=1, total=1))
    view.handle(Event("generate", "shard 3", state="done", done=1, total=1))
    assert (generate.state, generate.share) == ("done", 1.0)
    assert "shard 3 of 3" in line(view, "generate")


def test_an_event_of_one_adapter_leaves_the_other(view: View) -> None:
    view.handle(Event("train", "lora", done=5, total=20, figures={"loss": 1.9234}))
    assert row(view, "train", "lora").share == 0.25
    assert row(view, "train", "prompt_tuning").state == "waiting"
    assert "loss 1.92" in line(view, "train lora")
    assert "25%" in line(view, "train lora")


def test_a_stage_with_labelled_events_is_one_row(view: View) -> None:
    view.handle(Event("evaluate", "base", done=3, total=30))
    assert row(view, "evaluate").share == 0.1


def test_an_event_outside_the_plan_is_ignored(view: View) -> None:
    view.handle(Event("judge", "x", done=1, total=2))
    view.handle(Event("train", "other", done=1, total=2))
    assert {r.state for r in view._rows} == {"waiting"}


def test_a_run_with_a_target_adds_shards_and_says_how_far_it_is(view: View) -> None:
    view.handle(Event("generate", "shard 4", done=1, total=2))
    assert row(view, "generate").labels == ["shard 1", "shard 2", "shard 3", "shard 4"]
    assert row(view, "generate").state == "running"
    view.handle(Event("curate", note="120 of 200 rows kept"))
    assert "120 of 200 rows kept" in drawn(view)


def test_a_step_that_is_run_again_runs_again(view: View) -> None:
    view.handle(Event("split", state="done"))
    view.handle(Event("split", done=1, total=4))
    assert (row(view, "split").state, row(view, "split").share) == ("running", 0.25)


def test_the_time_left_follows_from_the_speed(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    view.handle(Event("split", done=0, total=10))
    now = 130.0
    view.handle(Event("split", done=5, total=10))
    assert "0:30, 0:30 left" in line(view, "split")


def test_the_time_left_never_rises(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    said = []
    # Fast at first, then nothing for a while, then slow, then fast again.
    for seconds, done in ((0, 0), (5, 30), (15, 30), (40, 30), (41, 35), (80, 50), (90, 99)):
        now = 100.0 + seconds
        view.handle(Event("split", done=done, total=100))
        for later in (0.0, 4.0):
            now = 100.0 + seconds + later
            said.append(line(view, "split").split()[-2] if "left" in line(view, "split") else "")
    assert [text for text in said if text] == ["0:12"] * 10 + ["0:01"] * 2


def test_the_view_can_be_drawn_in_every_state(view: View) -> None:
    assert "elapsed" in drawn(view)
    for stage, label in [("generate", "shard 1"), ("curate", ""), ("train", "lora"), ("evaluate", "base")]:
        for state in ("running", "cached", "done"):
            for done, total in [(0, 0), (0, 5), (5, 5)]:
                view.handle(Event(stage, label, state=state, done=done, total=total, figures={"loss": 0.0}))
                assert stage in drawn(view)


def test_without_a_terminal_each_state_is_printed_once(plan: Plan) -> None:
    console = Console(file=io.StringIO(), force_terminal=False)
    with watching(plan, console):
        for done in range(3):
            emit(Event("generate", "shard 1", done=done, total=3))
        emit(Event("generate", "shard 1", state="done"))
        emit(Event("curate", state="cached"))
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == [
        "generate shard 1 running",
        "generate shard 1 done",
        "curate cached",
    ]


def test_on_a_terminal_the_view_is_live(plan: Plan) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with watching(plan, console):
        emit(Event("generate", "shard 1", done=1, total=3))
    assert isinstance(console.file, io.StringIO)
    assert "generate" in console.file.getvalue()
