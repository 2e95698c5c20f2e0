"""A pipeline placed on a Ray cluster."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployments.processes import free_port
from tests.e2e.conftest import Finished, Tuner
from tests.e2e.placed import assert_same_results, two_trainings_at_once
from tests.rest import states

pytestmark = pytest.mark.e2e

RAY = [sys.executable, "-m", "ray.scripts.scripts"]


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Ray cluster of one node that claims two GPUs."""
    port = free_port()
    start = ["start", "--head", f"--port={port}", "--num-gpus=2", "--num-cpus=4", "--include-dashboard=false"]
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # this machine may have a token
    # Ray's workers have niceness 15: while other tests use all cores, each would take minutes to import its libraries.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    subprocess.run([*RAY, *start], check=True, stdout=subprocess.DEVNULL)
    yield f"127.0.0.1:{port}"
    subprocess.run([*RAY, "stop", "--force"], check=True, stdout=subprocess.DEVNULL)


def test_ray(recipe: Path, tmp_path: Path, tuner: Tuner, prefect_url: str, ray: str, finished: Finished) -> None:
    placed = {"TUNER_PLACEMENT": "ray", "RAY_ADDRESS": ray, "PREFECT_API_URL": prefect_url}
    with two_trainings_at_once(tmp_path / "home"):
        done = tuner("run", str(recipe), **placed)
        assert done.returncode == 0, done.stderr
    assert_same_results(finished, tmp_path / "store")
    flow_run = done.stdout.split("flow-run/")[1].split()[0]
    assert states(prefect_url, flow_run)["train lora"] == "Completed"
