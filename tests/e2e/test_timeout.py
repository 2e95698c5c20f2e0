"""A training that exceeds `TUNER_TRAIN_TIMEOUT` is ended, and resumes when it gets more time."""

from pathlib import Path

import pytest

from tests.deployments.processes import kill
from tests.e2e.conftest import Begin, Finished, Tuner, manifests, record_of, until_checkpoint
from tests.rest import call
from tests.trainings import trainings

pytestmark = pytest.mark.e2e


def test_a_timeout_ends_the_training_and_keeps_its_checkpoint(
    one_adapter: Path,
    tmp_path: Path,
    begin: Begin,
    tuner: Tuner,
    prefect_url: str,
    finished: Finished,
) -> None:
    finished.copy(tmp_path / "store", until="split")
    command = ["run", str(one_adapter), "--until", "train", "--set", "name=timed", "--set", "training.lora.epochs=60"]
    process = begin(*command, PREFECT_API_URL=prefect_url)
    checkpoints = tmp_path / "home" / "checkpoints"
    until_checkpoint(checkpoints)
    kill(process)

    stopped = tuner(*command, PREFECT_API_URL=prefect_url, TUNER_TRAIN_TIMEOUT="1")
    assert stopped.returncode == 1
    (line,) = stopped.stderr.strip().splitlines()
    assert line.startswith("tuner: training.lora took longer than 1 s (TUNER_TRAIN_TIMEOUT) and was stopped")
    assert trainings(tmp_path / "home") == []
    assert list(checkpoints.glob("*/checkpoint-*/complete.json"))
    flow_run = record_of(tmp_path / "store", "timed")["flow_run"]
    run = call(f"{prefect_url}/flow_runs/{flow_run}")
    assert (run["state_type"], "TUNER_TRAIN_TIMEOUT" in run["state"]["message"]) == ("FAILED", True)
    tasks = call(f"{prefect_url}/task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    assert {task["run_count"] for task in tasks if task["name"] == "train lora"} == {1}, "it is not retried"

    done = tuner(*command, PREFECT_API_URL=prefect_url, TUNER_TRAIN_TIMEOUT="600")
    assert done.returncode == 0, done.stderr
    (lora,) = (each for (stage, _), each in manifests(tmp_path / "store").items() if stage == "train")
    assert lora["metrics"]["resumed_from_step"] > 0
