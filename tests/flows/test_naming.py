"""A flow run is named after its run in the store unless a user named it; invalid input is reported in its state."""

from typing import Any

import pytest
from prefect.states import Failed
from prefect.utilities.names import generate_slug

from flows import naming
from flows.input_errors import fail_on_input_error
from flows.naming import flow_run_namer
from tuner import loading
from tuner.errors import InputError, StageError
from tuner.registry import run_name

PARAMETERS = {"recipe": "quickstart", "recipe_yaml": "", "overrides": ()}


def name(monkeypatch: pytest.MonkeyPatch, current: str, **parameters: object) -> str:
    monkeypatch.setattr(naming.flow_run, "get_name", lambda: current, raising=False)
    monkeypatch.setattr(naming.flow_run, "get_parameters", lambda: {**PARAMETERS, **parameters}, raising=False)
    return flow_run_namer(lambda recipe, parameters: "all of it")()


def test_a_name_that_prefect_made_up_is_replaced_by_the_runs_name(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_name(loading.load("quickstart"))
    for _ in range(20):
        assert name(monkeypatch, generate_slug(2)) == f"{run}: all of it"
    assert name(monkeypatch, "Ergonomic-Squid") == f"{run}: all of it", "the UI has a list of its own"
    assert name(monkeypatch, generate_slug(2), name="mine") == "mine: all of it"
    other = name(monkeypatch, generate_slug(2), seed=8)
    assert other == f"{run_name(loading.load('quickstart', ['seed=8']))}: all of it"


@pytest.mark.parametrize("typed", ["my first run", "try-17", "lora-again"])
def test_a_name_that_a_user_typed_is_kept(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    assert name(monkeypatch, typed) == typed


def test_a_flow_run_with_an_invalid_recipe_is_named_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert name(monkeypatch, generate_slug(2), recipe_yaml="name: [") == "refused"


def test_an_input_error_becomes_a_failed_state_and_other_errors_are_raised() -> None:
    def work(error: Exception) -> Any:
        raise error

    error = InputError("rows: is missing")
    state = fail_on_input_error(work)(error)
    assert (state.type, state.message, state.data) == (Failed().type, "rows: is missing", error)
    with pytest.raises(StageError):
        fail_on_input_error(work)(StageError("full"))
