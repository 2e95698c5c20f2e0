"""The stages of a sweep: trials are trained in legs, looks stop them, and the best becomes the recipe's adapter."""

import importlib.util
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.training.sweeps.conftest import NOT_ROWS, Sweeping, carry_out, split
from tuner import races
from tuner.artifacts import parquet
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import StageError
from tuner.recipe import Recipe
from tuner.registry import planned, run_name
from tuner.training.metrics import Swept, Trained
from tuner.training.sweeps.metrics import Steered, Tried

ALPHAS = {"alpha": [0.001, 16.0, 3e38, 32.0]}
"""One that hardly learns, two that do, and one that diverges."""


def found(recipe: Recipe, store: Store, stage: str, label: str) -> Manifest:
    manifest = store.find(stage, planned(recipe).one(stage, label).fingerprint)
    assert manifest is not None
    return manifest


def swept(recipe: Recipe, store: Store) -> Swept:
    found_one = Trained.read(found(recipe, store, "train", "lora")).swept
    assert found_one is not None
    return found_one


def weights(recipe: Recipe, store: Store, label: str, stage: str = "train") -> bytes:
    return store.fetch(found(recipe, store, stage, label), "adapter/adapter_model.safetensors").read_bytes()


def test_the_adapter_is_the_trial_with_the_lowest_tuning_loss(sweeping: Sweeping, store: Store) -> None:
    recipe = carry_out(sweeping(ALPHAS), store)
    sweep = swept(recipe, store)
    finished = {number: trial.loss for number, trial in enumerate(sweep.trials) if trial.stopped is None}
    assert sweep.winner == min(finished, key=lambda number: finished[number] or 0)
    assert sweep.trials[sweep.winner].settings["alpha"] in (16, 32)
    label = f"lora trial {sweep.winner + 1}"
    assert weights(recipe, store, "lora") == weights(recipe, store, label, "trial")
    curve = parquet.read(store.fetch(found(recipe, store, "train", "lora"), "curve.parquet"))
    assert curve["tuning_loss"].to_pylist()[-1] == pytest.approx(sweep.trials[sweep.winner].loss)


def test_a_trial_that_diverges_or_lags_is_stopped_and_kept_with_the_reason(sweeping: Sweeping, store: Store) -> None:
    recipe = carry_out(sweeping(ALPHAS), store)
    slow, _, diverged, _ = swept(recipe, store).trials
    assert diverged.stopped and diverged.stopped.startswith("diverged: ") and diverged.loss is None
    assert slow.stopped and slow.stopped.startswith("behind: its loss of ") and slow.share < 1
    assert 0 < swept(recipe, store).saved < 1
    last = next(part for part in reversed(planned(recipe).of("trial")) if part.subject.trial == 0)
    leg = found(recipe, store, "trial", last.label)
    assert Tried.read(leg).loss == slow.loss == slow.curve[-1][1]
    assert parquet.read(store.fetch(leg, "curve.parquet")).num_rows == Tried.read(leg).share * 16
    assert parquet.read(store.fetch(leg, "losses.parquet")).num_rows == 5


def test_a_sweep_without_a_race_chooses_the_same(sweeping: Sweeping, store: Store, tmp_path: Path) -> None:
    raced = carry_out(sweeping(ALPHAS), store)
    other = Store(str(tmp_path / "whole"))
    whole = carry_out(sweeping({**ALPHAS, "race": False}), other)
    assert planned(whole).of("steer") == []
    assert len(planned(whole).of("trial")) == 4
    assert swept(whole, other).winner == swept(raced, store).winner
    # Legs that go on where others ended come to the very weights of a training in one piece.
    assert weights(whole, other, "lora") == weights(raced, store, "lora")


def test_what_is_decided_follows_from_the_store(sweeping: Sweeping, store: Store) -> None:
    asked = sweeping(ALPHAS)
    partly = carry_out(asked, store, at_most=3)
    assert partly.training["lora"].sweep and partly.training["lora"].sweep.decisions == 3
    assert races.known(asked, store) == partly
    made = {manifest.fingerprint for manifest in store.manifests("trial")}
    recipe = carry_out(asked, store)
    steered = [Steered.read(manifest) for manifest in store.manifests("steer")]
    assert len(steered) == 5
    assert made <= {part.fingerprint for part in planned(recipe).of("trial")}
    assert run_name(recipe) == run_name(asked)
    assert races.due(recipe, planned(recipe)) == []


def test_other_trials_of_a_sweep_take_no_training_away(sweeping: Sweeping, store: Store) -> None:
    carry_out(sweeping({"learning_rate": [1e-2, 3e-2]}), store)
    made = {manifest.fingerprint for manifest in store.manifests("trial")}
    more = sweeping({"learning_rate": [1e-2, 3e-2, 1e-4]})
    split(more, store)
    legs = {part.fingerprint for part in planned(races.known(more, store)).of("trial")}
    assert made <= legs and len(legs) == 18, "all are expected to go on"


def test_seeds_repeat_the_best_trial(sweeping: Sweeping, store: Store) -> None:
    recipe = carry_out(sweeping({"learning_rate": [1e-4, 1e-2], "r": [2, 4], "race": False}, seeds=3), store)
    parts = planned(recipe).of("train")
    assert [part.label for part in parts] == ["lora", "lora#2", "lora#3"] == list(recipe.trained)
    assert [part.identity["seed"] for part in parts] == [42, 43, 44]
    assert len({weights(recipe, store, label) for label in recipe.trained}) == 3
    best = swept(recipe, store)
    rank = best.trials[best.winner].settings["r"]
    sizes = {Trained.read(found(recipe, store, "train", label)).trainable_parameters for label in recipe.trained}
    assert len(sizes) == 1 and sizes == {rank * size // 2 for size in _sizes(recipe, store, 2)}


def _sizes(recipe: Recipe, store: Store, rank: int) -> set[int]:
    """Trained parameters of trials of a rank."""
    parts = [part for part in planned(recipe).of("trial") if part.subject.varied["r"] == rank]
    tried = [Tried.read(found(recipe, store, "trial", part.label)).trained for part in parts]
    return {each.trainable_parameters for each in tried if each}


def test_no_validation_row_is_read(sweeping: Sweeping, store: Store) -> None:
    recipe = carry_out(sweeping(ALPHAS, seeds=2), store)
    manifest = store.find("split", planned(recipe).one("split").fingerprint)
    assert manifest and parquet.read(store.fetch(manifest, "validation.parquet")) == NOT_ROWS


@pytest.mark.skipif(importlib.util.find_spec("optuna") is None, reason="Optuna is not installed")
def test_tpe_proposes_trials_in_rounds_by_those_before(sweeping: Sweeping, store: Store) -> None:
    asked = sweeping({"how": "tpe", "trials": 6, "learning_rate": {"from": 1e-5, "to": 1e-1}}, epochs=2)
    first = carry_out(asked, store, at_most=1)
    assert [len(planned(first).of(stage)) for stage in ("trial", "steer")] == [2, 2]
    recipe = carry_out(asked, store)
    assert [part.label for part in planned(recipe).of("steer")] == ["lora from 1", "lora from 3", "lora from 5"]
    assert [part.label for part in planned(recipe).of("trial")] == [f"lora trial {number}" for number in range(1, 7)]
    trials = swept(recipe, store).trials
    assert len({trial.settings["learning_rate"] for trial in trials}) == 6
    assert swept(recipe, store).saved == pytest.approx(0)


@pytest.mark.parametrize("race", [True, False])
def test_a_sweep_in_which_every_trial_diverges(race: bool, sweeping: Sweeping, store: Store) -> None:
    with pytest.raises(StageError, match=r"^training\.lora\.sweep: every trial has diverged; "):
        carry_out(sweeping({"alpha": [3e38, 2e38], "race": race}), store)


def test_what_cannot_be_planned_is_refused_with_the_reason(sweeping: Sweeping) -> None:
    plain = sweeping({"alpha": [8, 16]}).model_dump(mode="json")
    plain["training"]["more"] = {**plain["training"]["lora"], "start": "lora"}
    with pytest.raises(ValidationError, match=r"training\.more\.sweep: an adapter that goes on from another"):
        Recipe.model_validate(plain)
    plain["preference"] = {"scorer": {"rules": ["form"]}}
    plain["training"]["more"] = {"method": "lora", "objective": "dpo", "start": "lora"}
    with pytest.raises(ValidationError, match=r"training\.more\.start: the sweep of lora varies alpha, which more "):
        Recipe.model_validate(plain)
    with pytest.raises(ValidationError, match=r"training\.lora\.sweep\.raced: no trial 7; leave raced out"):
        sweeping({"alpha": [8, 16], "raced": [[7]]})
    with pytest.raises(ValidationError, match=r"training\.lora\.sweep\.trials: is 16, but the swept settings"):
        sweeping({"how": "tpe", "trials": 16, "r": [4, 8]})
