"""The section `sweep`: what it accepts, that it survives a round trip, and one clear line for each mistake."""

from typing import Any

import pytest
from pydantic import ValidationError

from tuner.training.sweeps.settings import Range, Sweep


def problem(sweep: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        Sweep.model_validate(sweep)
    (error,) = caught.value.errors()
    return ": ".join([*map(str, error["loc"]), error["msg"].removeprefix("Value error, ")])


def test_settings_are_lists_or_ranges_in_the_order_of_the_recipe() -> None:
    sweep = Sweep.model_validate({"r": [4, 16], "learning_rate": {"from": 1e-5, "to": 1e-2, "points": 4}})
    assert list(sweep.swept) == ["r", "learning_rate"]
    assert sweep.swept["r"] == (4, 16)
    assert sweep.swept["learning_rate"] == Range.model_validate({"from": 1e-5, "to": 1e-2, "points": 4})


def test_a_sweep_survives_yaml_and_json() -> None:
    sweep = Sweep.model_validate(
        {
            "how": "random",
            "trials": 8,
            "learning_rate": {"from": 1e-5, "to": 1e-2, "scale": "log"},
            "targets": ["all-linear", ["q_proj", "v_proj"]],
            "quantization": [None, "nf4"],
        }
    )
    assert Sweep.model_validate(sweep.model_dump(mode="json")) == sweep
    assert Sweep.model_validate_json(sweep.model_dump_json()) == sweep
    assert sweep.model_dump(mode="json")["learning_rate"]["from"] == 1e-5


def test_values_keep_their_types() -> None:
    (values,) = Sweep.model_validate({"x": [1, 1.5, True, "linear", None]}).swept.values()
    assert isinstance(values, tuple)
    assert [type(value) for value in values] == [int, float, bool, str, type(None)]


@pytest.mark.parametrize(
    ("scale", "places"), [("log", [1e-5, 3.16e-5, 1e-4]), ("linear", [1e-5, 5.5e-5, 1e-4])], ids=["log", "linear"]
)
def test_a_range_is_divided_by_its_scale_and_has_exact_ends(scale: str, places: list[float]) -> None:
    found = Range.model_validate({"from": 1e-5, "to": 1e-4, "scale": scale})
    assert [found.at(place) for place in (0, 0.5, 1)] == places


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({}, "varies nothing; name a setting, such as learning_rate: {from: 1e-4, to: 1e-2, points: 5}"),
        ({"r": []}, "r: is an empty list; give at least one value"),
        ({"r": 8}, "r: 8 is no list of values and no range such as {from: 1e-5, to: 1e-2, scale: log}"),
        (
            {"r": [float("nan")]},
            "r: nan is no value; give numbers, texts, true, false, null or lists of texts",
        ),
        ({"r": {"from": 8, "to": 4, "points": 2}}, "r: from 8 must be below to 4"),
        ({"r": {"from": 8}}, "r: to: Field required"),
        ({"r": {"from": True, "to": 4}}, "r: from: Input should be a valid number"),
        (
            {"dropout": {"from": 0, "to": 0.1, "points": 3}},
            "dropout: from 0 must be above 0 on a log scale; or set scale: linear",
        ),
        (
            {"r": {"from": 4, "to": 8}},
            "r: points: is missing; a range in a grid needs their number, such as points: 5",
        ),
        ({"r": [4], "trials": 8}, "trials: is for how: random or tpe; a grid has as many trials as combinations"),
        (
            {"r": [4], "how": "random"},
            "trials: is missing; how: random needs their number, such as trials: 16",
        ),
        (
            {"how": "tpe", "trials": 8, "r": {"from": 4, "to": 8, "points": 3}},
            "r: points: is for how: grid; tpe draws anywhere in the range",
        ),
    ],
)
def test_a_mistake_is_one_line(sweep: dict[str, Any], message: str) -> None:
    assert problem(sweep) == message
