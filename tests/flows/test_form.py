"""What a person can fill in: choices, bounds and help in the form, and the command line's words for what is wrong."""

import pkgutil
from importlib import import_module
from typing import Any, get_args

import pytest
from prefect.exceptions import ParameterTypeError
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema

import flows
from flows import form
from flows.pipeline import pipeline
from flows.stages import FLOWS
from tuner import loading
from tuner.errors import InputError
from tuner.registry import NAMES, STAGES, planned
from tuner.stage import spanned

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 96, shard_rows: 24}
training:
  lora: {method: lora}
  soft: {method: prompt_tuning}
"""


def fields(flow: Any) -> dict[str, Any]:
    return parameter_schema(flow.fn).model_dump()["properties"]


def of_a_recipe() -> list[Flow[..., Any]]:
    """All flows of the package `flows` that ask for a recipe, whatever modules it has."""
    modules = [import_module(f"flows.{found.name}") for found in pkgutil.iter_modules(flows.__path__)]
    found = {each.name: each for module in modules for each in vars(module).values() if isinstance(each, Flow)}
    return [each for each in [*found.values(), *FLOWS.values()] if "recipe" in fields(each)]


def test_the_choices_are_the_shipped_recipes_and_the_stages() -> None:
    assert sorted(get_args(form.RecipeName)) == loading.shipped()
    assert get_args(form.StageName) == NAMES
    shown = fields(pipeline)
    assert sorted(shown["recipe"]["enum"]) == loading.shipped()
    assert shown["until_stage"]["enum"] == list(NAMES)


@pytest.mark.parametrize("flow", of_a_recipe(), ids=lambda flow: flow.name)
def test_every_field_has_help_a_default_and_one_type(flow: Any) -> None:
    for name, field in fields(flow).items():
        assert field.get("description"), name
        assert "default" in field, name
        assert "anyOf" not in field and isinstance(field["type"], str), name


def test_numbers_are_bounded() -> None:
    shown = fields(pipeline)
    assert (shown["rows"]["minimum"], shown["quality"]["maximum"]) == (1, 1)
    assert (shown["rows"]["type"], shown["epochs"]["exclusiveMinimum"]) == ("integer", 0)


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"quality": 1.5}, {"recipe": "quick"}, {"until_stage": "ship"}])
def test_a_value_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterTypeError, match=next(iter(wrong))):
        pipeline.validate_parameters(wrong)
    assert pipeline.validate_parameters({"rows": None})["rows"] is None


def test_what_is_filled_in_changes_the_recipe() -> None:
    plain = form.chosen("quickstart", RECIPE)
    assert (plain.name, plain.generation.rows) == ("small", 96)
    changed = form.chosen("quickstart", RECIPE, ["training.lora.r=4"], rows=48, seed=0, epochs=1.5, quality=0.25)
    assert (changed.generation.rows, changed.seed, changed.curation.quality.minimum) == (48, 0, 0.25)
    assert {adapter.epochs for adapter in changed.training.values()} == {1.5}
    assert changed.training["lora"].r == 4
    assert form.chosen("fair").name == "fair"


def test_an_override_goes_before_a_field() -> None:
    assert form.chosen("quickstart", RECIPE, ["generation.rows=24"], rows=48).generation.rows == 24


@pytest.mark.parametrize(
    ("yaml", "overrides"), [("name: [", []), (RECIPE + "sed: 1\n", []), (RECIPE, ["generation.rows=-1"])]
)
def test_what_is_wrong_is_said_in_the_words_of_the_command_line(yaml: str, overrides: list[str]) -> None:
    with pytest.raises(InputError) as said:
        loading.parse(yaml, overrides, "recipe_yaml")
    with pytest.raises(InputError) as refused:
        form.chosen("quickstart", yaml, overrides, epochs=1)
    assert str(refused.value) == str(said.value)


def test_adapters_are_named_with_their_size() -> None:
    recipe = form.chosen("quickstart", RECIPE)
    assert form.adapters(recipe) == "lora r8, soft 20 tokens"


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ((), ""),
        (("shard 3",), "shard 3"),
        (("shard 7", "shard 8", "round 2 shard 1"), "shard 7 to round 2 shard 1"),
    ],
)
def test_artifacts_of_a_stage_are_named_shortly(labels: tuple[str, ...], said: str) -> None:
    assert spanned(labels) == said


def test_every_stage_has_a_flow_that_takes_the_names_that_the_plan_has() -> None:
    parts = planned(loading.parse(RECIPE, ["generation.rounds=2"]))
    for stage, flow in FLOWS.items():
        labels = [part.label for part in parts.of(stage)]
        assert flow.validate_parameters({"parts": labels})["parts"] == tuple(labels)
        assert flow.description == STAGES[stage].does
