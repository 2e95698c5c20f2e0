"""The Prefect server is killed and restarted during a run: the work goes on, and the run completes."""

import os
import re
import time
from pathlib import Path

import pytest

from tests.deployments.processes import PATIENCE, answers, until
from tests.e2e.conftest import Begin, artifacts_of, holder, until_checkpoint
from tests.e2e.words import MADE
from tests.e2e.workers.cluster import Cluster
from tests.present import present
from tests.rest import call, states
from tuner import loading
from tuner.registry import planned

pytestmark = pytest.mark.e2e

AWAY_SECONDS = 5
"""Seconds without a server, in which all requests are refused."""


def overrides(name: str) -> list[str]:
    """Overrides for a separate recipe with a long training."""
    return [f"name={name}", "seed=31", "training.lora.epochs=60"]


def restart_during_training(cluster: Cluster, home: Path, recipe: Path, name: str) -> None:
    """Kills the server while an adapter is trained, and restarts it a few seconds later."""
    wanted = planned(loading.parse(recipe.read_text(), overrides(name))).one("train", "lora")
    until_checkpoint(home / "checkpoints" / wanted.fingerprint)
    cluster.processes.kill("server")
    until(lambda: not answers(f"{cluster.url}/health"), "the server has ended")
    time.sleep(AWAY_SECONDS)
    cluster.serve()


def assert_completed(cluster: Cluster, flow_run: str, store: Path, name: str) -> None:
    """Checks that all artifacts exist, no task started twice, and the restarted server has all final states."""
    made = artifacts_of(store, name)
    assert {stage for stage, _ in made} == set(MADE)
    (trained,) = (manifest for (stage, _), manifest in made.items() if stage == "train")
    assert trained["metrics"]["resumed_from_step"] is None
    shown = states(cluster.url, flow_run)
    assert set(shown.values()) <= {"Completed", "Cached"}
    assert {shown[name] for name in ("train lora", "evaluate", "report")} == {"Completed"}
    tasks = call(f"{cluster.url}/task_runs/filter", {"flow_runs": {"name": {"like_": f"{name}-"}}})
    assert {task["name"] for task in tasks if task["run_count"] != 1} == set()


def test_a_run_in_the_terminal_completes(cluster: Cluster, one_adapter: Path, tmp_path: Path, begin: Begin) -> None:
    options = (part for each in overrides("terminal") for part in ("--set", each))
    process = begin("run", str(one_adapter), *options, PREFECT_API_URL=cluster.url)
    restart_during_training(cluster, tmp_path / "home", one_adapter, "terminal")
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr
    flow_run = re.findall(r"flow-run/(\S+)", stdout)[0]
    assert call(f"{cluster.url}/flow_runs/{flow_run}")["state_type"] == "COMPLETED"
    assert_completed(cluster, flow_run, tmp_path / "store", "terminal")


def test_a_run_on_workers_completes(cluster: Cluster, one_adapter: Path) -> None:
    run = cluster.trigger("pipeline", recipe_yaml=one_adapter.read_text(), overrides=overrides("workers"))
    restart_during_training(cluster, cluster.home, one_adapter, "workers")
    ended = cluster.wait(run)
    assert ended["state_type"] == "COMPLETED", ended["state"]["message"]
    assert_completed(cluster, run, cluster.store, "workers")
    placed = cluster.runs("workers-", "generate", "tune", "evaluate")
    assert len(placed) >= 2 and {run["state_type"] for run in placed} == {"COMPLETED"}


def test_a_process_waits_for_a_gpu_slot_until_the_server_is_back(cluster: Cluster) -> None:
    cluster.processes.kill("server")
    process = holder({**os.environ, **cluster.environment})
    time.sleep(AWAY_SECONDS)
    assert process.poll() is None
    cluster.serve()
    assert present(process.stdout).readline() == "held\n"
    process.communicate()
    assert process.returncode == 0
