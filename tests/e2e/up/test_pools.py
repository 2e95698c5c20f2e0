"""A pipeline placed on the workers of `tuner up` and one more worker."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Finished, Tuner
from tests.e2e.placed import assert_same_results, two_trainings_at_once
from tests.e2e.up.conftest import Up
from tests.rest import call, states
from tests.warm import Warm
from tuner import loading
from tuner.registry import run_name

pytestmark = pytest.mark.e2e


@pytest.fixture
def second_worker(up: Up, warm: Warm) -> Iterator[None]:
    """A second worker of the pool `gpu`, besides that of `tuner up`."""
    command = [warm.python, "-m", "deployments.worker", "--pool", "gpu", "--limit", "1"]
    environment = {**os.environ, "PREFECT_API_URL": up.url, "PREFECT_WORKER_QUERY_SECONDS": "2", **up.places}
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    worker.terminate()
    worker.wait(60)


def test_pools(recipe: Path, tuner: Tuner, finished: Finished, up: Up, second_worker: None) -> None:
    with two_trainings_at_once(up.home):
        done = tuner("run", str(recipe), TUNER_PLACEMENT="pools", **up.places)
        assert done.returncode == 0, done.stderr
    assert_same_results(finished, up.store)
    flow_run = done.stdout.split("flow-run/")[1].split()[0]
    shown = states(up.url, flow_run)
    assert shown["train lora"] == shown["generate shard 1 to shard 3"] == "Completed"
    name = run_name(loading.load(str(recipe)))
    names = {run["name"] for run in call(f"{up.url}/flow_runs/filter", {})}
    placed = ("generate shard 1 to shard 3", "train lora", "train prompt_tuning", "evaluate")
    assert {f"{name}: {each}" for each in placed} <= names
