"""The Prefect server killed and started again in mid-run: whoever computes goes on, and the run ends right."""

import os
import re
import time
from pathlib import Path

import pytest

from tests.deployments.processes import answers, until
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import holder, manifests, start
from tests.rest import call, states
from tuner.specs import STAGES

pytestmark = pytest.mark.e2e

LONGER = "training.lora.epochs=60"


def restart_in_mid_training(cluster: Cluster, home: Path) -> None:
    """Kills the server while an adapter is trained, and starts it again a few seconds later."""
    until(lambda: list(home.glob("checkpoints/*/checkpoint-*/complete.json")), 120, "the training has begun")
    cluster.processes.kill("server")
    until(lambda: not answers(f"{cluster.url}/health"), 10, "the server is gone")
    time.sleep(5)
    cluster.serve()


def assert_ended_right(cluster: Cluster, flow_run: str, store: Path) -> None:
    """Everything is there, no step was begun twice, and the server that was started again knows it."""
    made = manifests(store)
    assert {stage for stage, _ in made} == set(STAGES)
    trained = [manifest for (stage, _), manifest in made.items() if stage == "train"]
    assert [manifest["metrics"]["resumed_from_step"] for manifest in trained] == [None, None]
    assert set(states(cluster.url, flow_run).values()) == {"Completed"}
    tasks = call(f"{cluster.url}/task_runs/filter", {})
    assert {task["name"] for task in tasks if task["run_count"] != 1} == set()


def test_a_run_of_the_terminal_goes_on(cluster: Cluster, recipe: Path, tmp_path: Path) -> None:
    process = start(["run", str(recipe), "--set", LONGER], PREFECT_API_URL=cluster.url)
    restart_in_mid_training(cluster, tmp_path / "home")
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    flow_run = re.search(r"flow-run/(\S+)", stdout)[1]
    assert call(f"{cluster.url}/flow_runs/{flow_run}")["state_type"] == "COMPLETED"
    assert_ended_right(cluster, flow_run, tmp_path / "store")


def test_a_run_on_workers_goes_on(cluster: Cluster, recipe: Path) -> None:
    run = cluster.trigger("pipeline", recipe_yaml=recipe.read_text(), overrides=[LONGER])
    restart_in_mid_training(cluster, cluster.home)
    ended = cluster.wait(run)
    assert ended["state_type"] == "COMPLETED", (ended["state"]["message"], cluster.processes.said("cpu")[-2000:])
    assert_ended_right(cluster, run, cluster.store)
    sent = [run for name in ("generate", "tune", "evaluate") for run in cluster.runs(name)]
    assert [run["state_type"] for run in sent] == ["COMPLETED"] * 4


def test_a_gpu_slot_is_waited_for_until_the_server_is_back(cluster: Cluster) -> None:
    cluster.processes.kill("server")
    process = holder({**os.environ, **cluster.environment})
    time.sleep(5)
    assert process.poll() is None
    cluster.serve()
    assert process.stdout.readline() == "held\n"
    process.communicate()
    assert process.returncode == 0
