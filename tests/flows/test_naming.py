"""A flow run has the name of its run in the store, unless a person called it otherwise; what is refused says why."""

import pytest
from prefect.states import Failed
from prefect.utilities.names import generate_slug

from flows import naming
from flows.naming import named
from flows.refusing import refusing
from tuner import loading
from tuner.errors import InputError, StageError
from tuner.registry import run_name

GIVEN = {"recipe": "quickstart", "recipe_yaml": "", "overrides": ()}


def name(monkeypatch: pytest.MonkeyPatch, current: str, **given: object) -> str:
    monkeypatch.setattr(naming.flow_run, "get_name", lambda: current, raising=False)
    monkeypatch.setattr(naming.flow_run, "get_parameters", lambda: {**GIVEN, **given}, raising=False)
    return named(lambda recipe, given: "all of it")()


def test_what_prefect_has_drawn_becomes_the_name_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_name(loading.load("quickstart"))
    for _ in range(20):
        assert name(monkeypatch, generate_slug(2)) == f"{run}: all of it"
    assert name(monkeypatch, "Ergonomic-Squid") == f"{run}: all of it", "the UI has a list of its own"
    assert name(monkeypatch, generate_slug(2), name="mine") == "mine: all of it"
    other = name(monkeypatch, generate_slug(2), seed=8)
    assert other == f"{run_name(loading.load('quickstart', ['seed=8']))}: all of it"


@pytest.mark.parametrize("typed", ["my first run", "try-17", "lora-again"])
def test_what_a_person_has_typed_stays(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    assert name(monkeypatch, typed) == typed


def test_what_is_refused_has_no_name_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    assert name(monkeypatch, generate_slug(2), recipe_yaml="name: [") == "refused"


def test_wrong_input_is_a_state_that_says_so_and_other_errors_go_on() -> None:
    def work(error: Exception) -> None:
        raise error

    error = InputError("rows: is missing")
    refused = refusing(work)(error)
    assert (refused.type, refused.message, refused.data) == (Failed().type, "rows: is missing", error)
    with pytest.raises(StageError):
        refusing(work)(StageError("full"))
