"""A run records its recipe, the artifacts that it used or made, and how it ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from tuner import loading, runs, summaries
from tuner.artifacts.names import check_name
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.recipe import Recipe
from tuner.registry import planned, run_name
from tuner.runs import Run

Outcome = Literal["made", "cached"]

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 10}
training: {lora: {method: lora}}
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def recipe() -> Recipe:
    return loading.parse(RECIPE)


def test_a_run_is_recorded_as_soon_as_it_starts(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, None, "report")
    assert run.name == run_name(recipe)
    record = runs.find(store, run.name)
    assert (record["state"], record["ended"], record["artifacts"]) == ("running", None, [])
    assert record["recipe"] == recipe.model_dump(mode="json")
    assert Recipe.model_validate(record["recipe"]) == recipe


def test_a_run_records_its_artifacts_and_its_end(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, "first", "report")
    wanted = planned(recipe)
    with run.recorded():
        run.note(wanted.of("generate")[0], "cached")
        run.note(wanted.one("train", "lora"), "made")
    record = runs.find(store, "first")
    assert record["state"] == "completed"
    assert record["ended"] >= record["started"]
    assert record["artifacts"] == [
        {
            "stage": "generate",
            "label": "shard 1",
            "fingerprint": wanted.of("generate")[0].fingerprint,
            "outcome": "cached",
        },
        {
            "stage": "train",
            "label": "lora",
            "fingerprint": wanted.one("train", "lora").fingerprint,
            "outcome": "made",
        },
    ]


def test_a_failed_run_records_its_error(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, "first", "report")
    with pytest.raises(InputError), run.recorded():
        raise InputError("no such thing")
    record = runs.find(store, "first")
    assert (record["state"], record["error"]) == ("failed", "no such thing")


def test_an_error_without_a_message_is_named_by_its_type(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, "first", "report")
    with pytest.raises(MemoryError), run.recorded():
        raise MemoryError
    assert runs.find(store, "first")["error"] == "MemoryError"


def test_an_interruption_is_recorded(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, "first", "report")
    with pytest.raises(KeyboardInterrupt), run.recorded():
        raise KeyboardInterrupt
    record = runs.find(store, "first")
    assert (record["state"], record["error"]) == ("interrupted", None)


def test_the_same_command_continues_the_same_run(store: Store, recipe: Recipe) -> None:
    first = Run.start(store, recipe, None, "split")
    first.end("interrupted")
    again = Run.start(store, recipe, None, "report")
    assert again.name == first.name
    assert again.record["created"] == first.record["created"]
    assert (again.record["state"], again.record["ended"], again.record["error"]) == ("running", None, None)
    assert store.run_names() == [first.name]


def test_a_name_belongs_to_one_recipe(store: Store, recipe: Recipe) -> None:
    Run.start(store, recipe, "mine", "report")
    other = loading.parse(RECIPE, ["seed=7"])
    with pytest.raises(InputError, match=r"^--name mine: a run of another recipe has this name; choose another$"):
        Run.start(store, other, "mine", "report")
    assert runs.find(store, "mine")["recipe"]["seed"] == 42


@pytest.mark.parametrize("name", ["a", "a.b_c-1", "7", "x" * 100])
def test_a_plain_name_is_accepted(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/a", "-a", ".a", "a b", "ä", "a\n", "x" * 101, "a\\b"])
def test_a_name_that_is_a_path_or_odd_is_refused(name: str, store: Store, recipe: Recipe) -> None:
    with pytest.raises(InputError, match=r"letters, digits, '\.', '_' and '-' only, at most 100$"):
        check_name(name)
    with pytest.raises(InputError):
        runs.find(store, name)


def test_a_missing_run_is_reported_with_the_existing_ones(store: Store, recipe: Recipe) -> None:
    with pytest.raises(InputError, match=r"nothing: no such run in .*; existing runs: none yet$"):
        runs.find(store, "nothing")
    Run.start(store, recipe, "mine", "report")
    with pytest.raises(InputError, match=r"existing runs: mine$"):
        runs.find(store, "nothing")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A function that sets the minute of the current time."""

    def to(minute: int) -> None:
        monkeypatch.setattr(runs, "now", lambda: at(minute))

    return to


def at(minute: int) -> str:
    return f"2026-01-02T03:{minute:02d}:00+00:00"


def attempt(store: Store, recipe: Recipe, clock: Callable[[int], None], begin: int, outcome: Outcome) -> Run:
    """A run that takes five minutes."""
    clock(begin)
    run = Run.start(store, recipe, "first", "report")
    with run.recorded():
        clock(begin + 5)
        run.note(planned(recipe).one("split"), outcome)
    return run


def test_an_attempt_with_cached_artifacts_only_keeps_the_time_of_the_run(
    store: Store, recipe: Recipe, clock: Callable[[int], None]
) -> None:
    attempts: list[tuple[int, Outcome, int]] = [(0, "made", 0), (10, "cached", 0), (20, "cached", 0), (30, "made", 30)]
    for begin, outcome, made in attempts:
        attempt(store, recipe, clock, begin, outcome)
        record = runs.find(store, "first")
        assert record["made"] == {"started": at(made), "ended": at(made + 5)}
        assert record["started"] == at(begin)
        assert summaries.summarize(store, record) == summaries.Summary(at(made), 300.0, "")


def test_a_run_with_cached_artifacts_only_has_the_time_of_its_first_attempt(
    store: Store, recipe: Recipe, clock: Callable[[int], None]
) -> None:
    attempt(store, recipe, clock, 0, "cached")
    attempt(store, recipe, clock, 10, "cached")
    assert summaries.summarize(store, runs.find(store, "first")).started == at(0)


def test_a_killed_attempt_that_made_everything_sets_the_time_of_the_run(
    store: Store, recipe: Recipe, clock: Callable[[int], None]
) -> None:
    clock(0)
    killed = Run.start(store, recipe, "first", "report")
    clock(5)
    killed.note(planned(recipe).one("split"), "made")
    killed.save()
    attempt(store, recipe, clock, 10, "cached")
    assert summaries.summarize(store, runs.find(store, "first")) == summaries.Summary(at(0), 300.0, "")


def test_an_artifact_added_to_a_completed_run_keeps_its_time(
    store: Store, recipe: Recipe, clock: Callable[[int], None]
) -> None:
    run = attempt(store, recipe, clock, 0, "made")
    clock(50)
    run.note(planned(recipe).one("report"), "made")
    assert run.record["made"]["ended"] == at(5)


def test_a_record_of_an_older_version_keeps_its_time(
    store: Store, recipe: Recipe, clock: Callable[[int], None]
) -> None:
    record = attempt(store, recipe, clock, 0, "made").record
    del record["made"]
    store.write_run("first", record)
    assert summaries.summarize(store, record).started == at(0)
    attempt(store, recipe, clock, 10, "cached")
    assert summaries.summarize(store, runs.find(store, "first")).started == at(0)


def test_the_outcome_is_the_error_or_the_verdict(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, "first", "report")
    assert summaries.summarize(store, run.record).seconds is None
    spec = planned(recipe).one("report")
    metrics = {"verdict": ["lora won.", "Against the base, it is better."], "winner": "lora"}
    store.build(spec, lambda folder: metrics)
    run.note(spec, "made")
    run.end("failed", "the disk\nis full")
    assert summaries.summarize(store, run.record).outcome == "the disk is full"
    run.end("completed")
    assert summaries.summarize(store, run.record).outcome == "lora won."
    store.replace(f"artifacts/report/{spec.fingerprint}/manifest.json", b"{")
    assert summaries.summarize(store, run.record).outcome == ""
