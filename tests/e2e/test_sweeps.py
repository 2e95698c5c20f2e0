"""A run with a sweep stops what lags, survives being killed, and shows what came of its trials."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.processes import kill, until
from tests.e2e.conftest import Begin, Tuner, manifests

pytestmark = pytest.mark.e2e

SWEEP = "training.lora.sweep={learning_rate: [1e-4, 1e-2, 3e-2]}"
SETTINGS = ("--set", SWEEP, "--set", "training.lora.seeds=2", "--set", "split.tuning=0.2")


def of_stages(store: Path, *stages: str) -> dict[tuple[str, str], Any]:
    """The attempts that made the artifacts of stages."""
    return {key: made["attempt"] for key, made in manifests(store).items() if key[0] in stages}


def test_a_killed_sweep_goes_on_and_trains_nothing_twice(
    one_adapter: Path, tmp_path: Path, begin: Begin, tuner: Tuner, prefect_url: str
) -> None:
    store = tmp_path / "store"
    command = ("run", str(one_adapter), *SETTINGS)
    process = begin(*command, PREFECT_API_URL=prefect_url)
    # Two looks have been decided, and the trials are on their way to the third.
    until(lambda: len(of_stages(store, "steer")) >= 2 or process.poll() is not None, "two looks")
    kill(process)
    before = of_stages(store, "trial", "steer")
    assert len(before) >= 8

    done = tuner(*command, PREFECT_API_URL=prefect_url)
    assert done.returncode == 0, done.stderr
    after = of_stages(store, "trial", "steer", "train")
    assert before.items() <= after.items()
    (path,) = (store / "runs").glob("*/run.json")
    record = json.loads(path.read_text())
    assert record["state"] == "completed"
    assert len(record["recipe"]["training"]["lora"]["sweep"]["raced"]) == 5

    again = tuner("plan", str(one_adapter), *SETTINGS, "--json")
    assert {stage["status"] for stage in json.loads(again.stdout)["stages"]} == {"cached"}
    assert of_stages(store, "trial", "steer", "train") == after
