"""A run that is cancelled from the Prefect server during training resumes from its checkpoint."""

from pathlib import Path

import pytest

from tests.deployments.processes import until
from tests.e2e.conftest import artifacts_of, record_of, until_checkpoint
from tests.e2e.up.conftest import Up
from tests.rest import call, states, trigger, wait
from tests.trainings import trainings
from tuner import loading
from tuner.registry import planned

pytestmark = pytest.mark.e2e


def test_a_run_cancelled_during_training_resumes(up: Up, one_adapter: Path) -> None:
    overrides = ["name=cancelled", "seed=21", "training.lora.epochs=60"]
    parameters = {"recipe_yaml": one_adapter.read_text(), "overrides": overrides}
    wanted = planned(loading.parse(one_adapter.read_text(), overrides)).one("train", "lora")
    checkpoints = up.home / "checkpoints" / wanted.fingerprint
    run = trigger(up.url, "pipeline", parameters)
    until_checkpoint(checkpoints)
    (child,) = trainings(checkpoints)

    call(f"{up.url}/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    until(lambda: not child.is_running(), "the training process has ended", 40)
    assert wait(up.url, run)["state_type"] == "CANCELLED"
    assert list(checkpoints.glob("checkpoint-*/complete.json"))
    assert record_of(up.store, "cancelled")["state"] == "interrupted"
    assert not (up.store / "artifacts" / "train" / wanted.fingerprint / "manifest.json").exists()

    again = trigger(up.url, "pipeline", parameters)
    assert wait(up.url, again)["state_type"] == "COMPLETED"
    shown = states(up.url, again)
    assert {shown[f"generate shard {number}"] for number in (1, 2, 3)} == {"Cached"}
    lora = artifacts_of(up.store, "cancelled")["train", wanted.fingerprint]
    assert lora["metrics"]["resumed_from_step"] > 0
