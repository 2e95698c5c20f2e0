"""The trials of a sweep: which, in which order, the same everywhere, and what cannot be swept."""

from typing import Any

import pytest

from tuner.training.methods import METHODS, Method
from tuner.training.sweeps.settings import Sweep
from tuner.training.sweeps.trials import NOT_SWEPT, trials, validated


def adapter(method: str = "lora", **settings: Any) -> Method:
    return METHODS[method].model_validate({"method": method, **settings})


def made(sweep: dict[str, Any], method: str = "lora", seed: int = 42, **settings: Any) -> tuple[dict[str, Any], ...]:
    return trials("small", adapter(method, **settings), Sweep.model_validate(sweep), seed)


def problem(sweep: dict[str, Any], method: str = "lora") -> str:
    with pytest.raises(ValueError) as caught:
        made(sweep, method)
    return str(caught.value)


def test_a_grid_is_every_combination_the_last_setting_fastest() -> None:
    assert made({"learning_rate": {"from": 1e-4, "to": 1e-2, "points": 3}, "r": [4, 16]}) == (
        {"learning_rate": 1e-4, "r": 4},
        {"learning_rate": 1e-4, "r": 16},
        {"learning_rate": 1e-3, "r": 4},
        {"learning_rate": 1e-3, "r": 16},
        {"learning_rate": 1e-2, "r": 4},
        {"learning_rate": 1e-2, "r": 16},
    )


def test_a_trial_keeps_the_settings_that_are_not_varied() -> None:
    base = adapter(alpha=32, epochs=2)
    (trial,) = trials("small", base, Sweep.model_validate({"r": [16]}), 42)
    assert validated("small", base, trial) == adapter(alpha=32, epochs=2, r=16)


RANDOM = {"how": "random", "learning_rate": {"from": 1e-5, "to": 1e-2}, "r": [4, 8, 16]}


def test_draws_follow_from_the_seed_on_every_machine() -> None:
    assert made({**RANDOM, "trials": 2}, seed=7) == (
        {"learning_rate": 9.36e-05, "r": 4},
        {"learning_rate": 0.000897, "r": 4},
    )
    assert made({**RANDOM, "trials": 2}, seed=8) != made({**RANDOM, "trials": 2}, seed=7)


def test_more_trials_keep_those_that_were_drawn() -> None:
    assert made({**RANDOM, "trials": 30})[:10] == made({**RANDOM, "trials": 10})


def test_draws_fill_the_range_evenly_on_its_scale() -> None:
    rates = [trial["learning_rate"] for trial in made({**RANDOM, "trials": 200})]
    for low in (1e-5, 1e-4, 1e-3):
        assert 45 <= sum(low <= rate < 10 * low for rate in rates) <= 90


def test_draws_of_an_integer_are_integers_and_no_two_trials_are_equal() -> None:
    found = made({"how": "random", "trials": 5, "r": {"from": 4, "to": 8}})
    assert sorted(trial["r"] for trial in found) == [4, 5, 6, 7, 8]


@pytest.mark.parametrize("key", [key for key in NOT_SWEPT if key != "sweep"])
def test_what_changes_the_method_or_the_budget_cannot_be_swept(key: str) -> None:
    assert key in METHODS["lora"].model_fields
    assert problem({key: [1]}) == f"training.small.sweep.{key}: cannot be swept, since {NOT_SWEPT[key]}"


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"rank": [4]}, "rank: lora has no such setting; it has learning_rate, warmup, scheduler,"),
        ({"r": [4, 0]}, "r: 0 does not go with lora: Input should be greater than or equal to 1"),
        ({"r": [True]}, "r: True does not go with lora: r must be a number, not true"),
        ({"r": [4, 8, 4.0]}, "r: 4 is there twice"),
        ({"scheduler": {"from": 1, "to": 2, "points": 2}}, "scheduler: is no number; give a list of values"),
        (
            {"learning_rate": {"from": 1, "to": 1000, "points": 2}},
            "learning_rate: 1000.0 does not go with lora: Input should be less than 100",
        ),
        ({"r": {"from": 4, "to": 6, "points": 9}}, "r: 9 points hold 4 twice; lower points"),
        (
            {"how": "random", "trials": 5, "r": [4, 8]},
            "trials: is 5, but the swept settings have no more than about 2 combinations; lower it, or use how: grid",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(sweep: dict[str, Any], message: str) -> None:
    assert problem(sweep).startswith(f"training.small.sweep.{message}")


def test_a_sweep_is_no_larger_than_a_flow_run_can_carry() -> None:
    assert problem({"r": list(range(1, 101)), "alpha": [8, 16, 32]}) == (
        "training.small.sweep: 300 combinations; at most 256 trials are allowed"
    )
