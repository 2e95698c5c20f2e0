"""A run ties a recipe to the artifacts it used or made, and says how it ended."""

from pathlib import Path

import pytest

from tuner import loading, runs, specs
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.recipe import Recipe
from tuner.runs import Run

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


def test_a_run_is_there_as_soon_as_it_starts(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, None, "report")
    assert run.name == specs.run_name(recipe)
    record = runs.find(store, run.name)
    assert (record["state"], record["ended"], record["artifacts"]) == ("running", None, [])
    assert record["recipe"] == recipe.model_dump(mode="json")
    assert Recipe.model_validate(record["recipe"]) == recipe


def test_a_run_records_its_artifacts_and_its_end(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, "first", "report")
    wanted = specs.of_recipe(recipe)
    with run.recorded():
        run.note(wanted.shards[0], "cached")
        run.note(wanted.training["lora"], "made")
    record = runs.find(store, "first")
    assert record["state"] == "completed"
    assert record["ended"] >= record["started"]
    assert record["artifacts"] == [
        {
            "stage": "generate",
            "label": "shard 1",
            "fingerprint": wanted.shards[0].fingerprint,
            "outcome": "cached",
        },
        {
            "stage": "train",
            "label": "lora",
            "fingerprint": wanted.training["lora"].fingerprint,
            "outcome": "made",
        },
    ]


def test_a_run_that_fails_keeps_the_line(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, "first", "report")
    with pytest.raises(InputError), run.recorded():
        raise InputError("no such thing")
    record = runs.find(store, "first")
    assert (record["state"], record["error"]) == ("failed", "no such thing")


def test_an_error_without_words_is_named_by_its_kind(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, "first", "report")
    with pytest.raises(MemoryError), run.recorded():
        raise MemoryError
    assert runs.find(store, "first")["error"] == "MemoryError"


def test_a_run_that_is_interrupted_says_so(store: Store, recipe: Recipe) -> None:
    run = Run.start(store, recipe, "first", "report")
    with pytest.raises(KeyboardInterrupt), run.recorded():
        raise KeyboardInterrupt
    record = runs.find(store, "first")
    assert (record["state"], record["error"]) == ("interrupted", None)


def test_the_same_command_goes_on_with_the_same_run(store: Store, recipe: Recipe) -> None:
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
def test_a_plain_name_is_taken(name: str) -> None:
    assert runs.check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/a", "-a", ".a", "a b", "ä", "a\n", "x" * 101, "a\\b"])
def test_a_name_that_is_a_path_or_odd_is_refused(name: str, store: Store, recipe: Recipe) -> None:
    with pytest.raises(InputError, match=r"letters, digits, '\.', '_' and '-' only, at most 100$"):
        runs.check_name(name)
    with pytest.raises(InputError):
        runs.find(store, name)


def test_a_run_that_is_not_there_is_told_the_others(store: Store, recipe: Recipe) -> None:
    with pytest.raises(InputError, match=r"nothing: no such run in .*; there are: none yet$"):
        runs.find(store, "nothing")
    Run.start(store, recipe, "mine", "report")
    with pytest.raises(InputError, match=r"there are: mine$"):
        runs.find(store, "nothing")
