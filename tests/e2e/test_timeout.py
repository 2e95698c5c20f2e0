"""A training that takes longer than `TUNER_TRAIN_TIMEOUT` really ends, and goes on when it is given more time."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.deployments.processes import until
from tests.e2e.conftest import Tuner, manifests, start
from tests.rest import call

pytestmark = pytest.mark.e2e


def test_a_time_out_ends_the_work_and_keeps_its_checkpoint(
    recipe: Path, tmp_path: Path, tuner: Tuner, prefect_url: str
) -> None:
    command = ["run", str(recipe), "--name", "mine", "--until", "train", "--set", "training.lora.epochs=60"]
    begun = start(command, PREFECT_API_URL=prefect_url)
    checkpoints = tmp_path / "home" / "checkpoints"
    until(lambda: list(checkpoints.glob("*/checkpoint-*/complete.json")), 120, "the training leaves a checkpoint")
    os.killpg(begun.pid, signal.SIGKILL)
    begun.communicate()

    stopped = tuner(*command, PREFECT_API_URL=prefect_url, TUNER_TRAIN_TIMEOUT="1")
    assert stopped.returncode == 1
    (line,) = stopped.stderr.strip().splitlines()
    assert line.startswith("tuner: training.lora took longer than 1 s (TUNER_TRAIN_TIMEOUT) and was stopped")
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(checkpoints) in str(each.info["cmdline"])]
    assert list(checkpoints.glob("*/checkpoint-*/complete.json"))
    run = call(f"{prefect_url}/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})[0]
    assert (run["state_type"], "TUNER_TRAIN_TIMEOUT" in run["state"]["message"]) == ("FAILED", True)
    tasks = call(f"{prefect_url}/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    assert {task["run_count"] for task in tasks if task["name"] == "train lora"} == {1}, "it is not tried again"

    finished = tuner(*command, PREFECT_API_URL=prefect_url, TUNER_TRAIN_TIMEOUT="600")
    assert finished.returncode == 0, finished.stderr
    trained = [manifest for (stage, _), manifest in manifests(tmp_path / "store").items() if stage == "train"]
    (lora,) = (manifest for manifest in trained if manifest["identity"]["method"] == "lora")
    assert lora["metrics"]["resumed_from_step"] > 0
