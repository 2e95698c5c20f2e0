"""The parameter form: its choices, bounds and help, and the same error messages as on the command line."""

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
from tuner.stage import label_range
from tuner.training.methods.lora import Lora

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


def flows_with_a_recipe() -> list[Flow[..., Any]]:
    """All flows of the package `flows` that have the parameter `recipe`, in whatever module."""
    modules = [import_module(f"flows.{info.name}") for info in pkgutil.iter_modules(flows.__path__)]
    by_name = {flow.name: flow for module in modules for flow in vars(module).values() if isinstance(flow, Flow)}
    return [flow for flow in [*by_name.values(), *FLOWS.values()] if "recipe" in fields(flow)]


def test_the_choices_are_the_shipped_recipes_and_the_stages() -> None:
    assert sorted(get_args(form.RecipeName)) == loading.shipped()
    assert get_args(form.StageName) == NAMES
    schema = fields(pipeline)
    assert sorted(schema["recipe"]["enum"]) == loading.shipped()
    assert schema["until_stage"]["enum"] == list(NAMES)


@pytest.mark.parametrize("flow", flows_with_a_recipe(), ids=lambda flow: flow.name)
def test_every_field_has_help_a_default_and_one_type(flow: Any) -> None:
    for name, field in fields(flow).items():
        assert field.get("description"), name
        assert "default" in field, name
        assert "anyOf" not in field and isinstance(field["type"], str), name


def test_numbers_are_bounded() -> None:
    schema = fields(pipeline)
    assert (schema["rows"]["minimum"], schema["quality"]["maximum"]) == (1, 1)
    assert (schema["rows"]["type"], schema["epochs"]["exclusiveMinimum"]) == ("integer", 0)


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"quality": 1.5}, {"recipe": "quick"}, {"until_stage": "ship"}])
def test_a_value_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterTypeError, match=next(iter(wrong))):
        pipeline.validate_parameters(wrong)
    assert pipeline.validate_parameters({"rows": None})["rows"] is None


def test_filled_in_fields_change_the_recipe() -> None:
    plain = form.recipe_from_form("quickstart", RECIPE)
    assert (plain.name, plain.generation.rows) == ("small", 96)
    changed = form.recipe_from_form(
        "quickstart", RECIPE, ["training.lora.r=4"], rows=48, seed=0, epochs=1.5, quality=0.25
    )
    assert (changed.generation.rows, changed.seed, changed.curation.quality.minimum) == (48, 0, 0.25)
    assert {adapter.epochs for adapter in changed.training.values()} == {1.5}
    lora = changed.training["lora"]
    assert isinstance(lora, Lora) and lora.r == 4
    assert form.recipe_from_form("fair").name == "fair"


def test_an_override_takes_precedence_over_a_field() -> None:
    assert form.recipe_from_form("quickstart", RECIPE, ["generation.rows=24"], rows=48).generation.rows == 24


@pytest.mark.parametrize(
    ("yaml", "overrides"), [("name: [", []), (RECIPE + "sed: 1\n", []), (RECIPE, ["generation.rows=-1"])]
)
def test_invalid_input_gives_the_message_of_the_command_line(yaml: str, overrides: list[str]) -> None:
    with pytest.raises(InputError) as expected:
        loading.parse(yaml, overrides, "recipe_yaml")
    with pytest.raises(InputError) as refused:
        form.recipe_from_form("quickstart", yaml, overrides, epochs=1)
    assert str(refused.value) == str(expected.value)


def test_the_adapter_summary_gives_each_adapters_size() -> None:
    recipe = form.recipe_from_form("quickstart", RECIPE)
    assert form.adapter_summary(recipe) == "lora r8, soft 20 tokens"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((), ""),
        (("shard 3",), "shard 3"),
        (("shard 7", "shard 8", "round 2 shard 1"), "shard 7 to round 2 shard 1"),
    ],
)
def test_labels_of_a_stage_are_abbreviated_to_a_range(labels: tuple[str, ...], expected: str) -> None:
    assert label_range(labels) == expected


def test_every_stage_has_a_flow_that_accepts_the_labels_of_the_plan() -> None:
    parts = planned(loading.parse(RECIPE, ["generation.rounds=2"]))
    for stage, flow in FLOWS.items():
        labels = [part.label for part in parts.of(stage)]
        assert flow.validate_parameters({"parts": labels})["parts"] == tuple(labels)
        assert flow.description == STAGES[stage].does
