"""Runs that are operated from a Prefect server: cancelled in mid-training, and taken up again."""

from pathlib import Path

import pytest

from tests.deployments.processes import until
from tests.e2e.conftest import trainings
from tests.rest import call, states, trigger, wait
from tuner.artifacts.store import Store
from tuner.settings import settings

pytestmark = pytest.mark.e2e


def test_cancelled_in_mid_training_and_taken_up_again(up: str, recipe: Path, tmp_path: Path) -> None:
    parameters = {"recipe_yaml": recipe.read_text(), "overrides": ["training.lora.epochs=60"]}
    checkpoints = tmp_path / "home" / "checkpoints"
    run = trigger(up, "pipeline", parameters)
    until(lambda: list(checkpoints.glob("*/checkpoint-*/complete.json")), 120, "the training leaves a checkpoint")
    (child,) = trainings(tmp_path / "home")

    call(f"{up}/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    until(lambda: not child.is_running(), 10, "the child is gone")
    assert wait(up, run)["state_type"] == "CANCELLED"
    assert list(checkpoints.glob("*/checkpoint-*/complete.json"))
    store = Store(settings().store)
    (name,) = store.run_names()
    assert store.read_run(name)["state"] == "interrupted"
    assert not list(store.manifests("train"))

    again = trigger(up, "pipeline", parameters)
    assert wait(up, again)["state_type"] == "COMPLETED"
    shown = states(up, again)
    assert {shown[f"generate shard {number}"] for number in (1, 2, 3)} == {"Cached"}
    lora = next(manifest for manifest in store.manifests("train") if manifest.identity["method"] == "lora")
    assert lora.metrics["resumed_from_step"] > 0
