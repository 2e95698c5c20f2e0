"""Trials that learn from results: the same from the same results, better than random ones, and never twice."""

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest

from tuner.errors import InputError
from tuner.training.methods import METHODS
from tuner.training.sweeps.settings import Sweep
from tuner.training.sweeps.tpe import Result, propose
from tuner.training.sweeps.trials import drawn

LORA = METHODS["lora"].model_validate({"method": "lora"})
SWEEP = Sweep.model_validate(
    {
        "how": "tpe",
        "trials": 32,
        "learning_rate": {"from": 1e-5, "to": 1e-1},
        "r": {"from": 4, "to": 64},
        "scheduler": ["linear", "cosine"],
    }
)
optuna = pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="Optuna is not installed")


def loss(trial: dict[str, Any]) -> float:
    """Lowest at a rate of 1e-3."""
    return 2 + np.log10(trial["learning_rate"] / 1e-3) ** 2


def rounds(seed: int, count: int = 4, of: int = 8) -> list[dict[str, Any]]:
    results: list[Result] = []
    for _ in range(count):
        results += [Result(trial, loss(trial)) for trial in propose("small", LORA, SWEEP, seed, results, of)]
    return [dict(result.trial) for result in results]


@optuna
def test_the_first_round_is_random() -> None:
    assert propose("small", LORA, SWEEP, 42, [], 8) == drawn("small", LORA, SWEEP, 42, 8)


def test_without_optuna_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        InputError, match=r"^training\.small\.sweep\.how: tpe needs the extra `tpe`: pip install '\.\[tpe\]'"
    ):
        propose("small", LORA, SWEEP, 42, [], 8)


@optuna
def test_the_same_results_give_the_same_trials_and_none_twice() -> None:
    found = rounds(42)
    assert found == rounds(42)
    assert found != rounds(43)
    assert len({str(trial) for trial in found}) == 32


@optuna
def test_later_rounds_come_closer_to_the_best_rate() -> None:
    distances = np.array(
        [[abs(np.log10(trial["learning_rate"] / 1e-3)) for trial in rounds(seed)] for seed in range(5)]
    )
    assert np.median(distances[:, 16:]) < 0.5 * np.median(distances[:, :8])


@optuna
def test_values_are_of_the_setting_s_kind_and_within_the_range() -> None:
    for trial in rounds(1, count=2):
        assert 1e-5 <= trial["learning_rate"] <= 1e-1
        assert isinstance(trial["r"], int) and 4 <= trial["r"] <= 64
        assert trial["scheduler"] in ("linear", "cosine")


@optuna
def test_stopped_and_diverged_trials_are_results_too() -> None:
    trials = drawn("small", LORA, SWEEP, 42, 8)
    results = [
        Result(trial, None) if trial["learning_rate"] > 1e-2 else Result(trial, loss(trial), 0.25) for trial in trials
    ]
    assert len(propose("small", LORA, SWEEP, 42, results, 8)) == 8


@optuna
def test_results_that_were_read_from_json_are_those_of_the_same_trials() -> None:
    sweep = Sweep.model_validate({"how": "tpe", "trials": 4, "targets": ["all-linear", ["q_proj"]], "r": [4, 8]})
    results = [Result({"targets": ["q_proj"], "r": 4.0}, 2.0), Result({"targets": "all-linear", "r": 4}, 1.9)]
    found = propose("small", LORA, sweep, 42, results, 4)
    assert sorted((str(trial["targets"]), trial["r"]) for trial in found) == [("('q_proj',)", 8), ("all-linear", 8)]


@optuna
def test_a_round_ends_where_there_are_no_more_combinations() -> None:
    sweep = Sweep.model_validate({"how": "tpe", "trials": 8, "r": [4, 8, 16]})
    results = [Result({"r": 4}, 2.0), Result({"r": 8}, 1.9)]
    assert propose("small", LORA, sweep, 42, results, 4) == ({"r": 16},)
