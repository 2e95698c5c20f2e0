"""Wherever a pipeline computes, the data artifacts are the same bytes and the adapters the same to tolerance."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy
import psutil
import pytest
from safetensors.numpy import load_file

from tests.deployments.processes import PATIENCE, free_port
from tests.e2e.conftest import Finished, Tuner, Up, artifacts_of, data_bytes, manifests, trainings
from tests.rest import call, states

pytestmark = pytest.mark.e2e

RAY = [sys.executable, "-m", "ray.scripts.scripts"]


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Ray cluster of one node with two GPUs that are only counted."""
    port = free_port()
    start = ["start", "--head", f"--port={port}", "--num-gpus=2", "--num-cpus=4", "--include-dashboard=false"]
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # whatever token this machine keeps
    subprocess.run([*RAY, *start], check=True, stdout=subprocess.DEVNULL)
    yield f"127.0.0.1:{port}"
    subprocess.run([*RAY, "stop", "--force"], check=True, stdout=subprocess.DEVNULL)


def adapter(store: Path, manifest: dict) -> dict[str, numpy.ndarray]:
    """The weights of an adapter."""
    folder = store / "artifacts" / "train" / manifest["fingerprint"] / manifest["attempt"]
    return load_file(folder / "adapter" / "adapter_model.safetensors")


def assert_alike(finished: Finished, store: Path) -> None:
    mine, others = manifests(finished.store), artifacts_of(store, "words")
    assert set(mine) == set(others)
    assert data_bytes(mine) == data_bytes(others)
    trained = [key for key in mine if key[0] == "train"]
    assert len(trained) == 2
    for key in trained:
        weights = adapter(store, others[key])
        for name, tensor in adapter(finished.store, mine[key]).items():
            numpy.testing.assert_allclose(tensor, weights[name], atol=1e-3, err_msg=name)


@contextmanager
def two_trainings_at_once(home: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Holds the first training that a block begins until there is a second beside it.

    Raises:
        AssertionError: If there is none within the patience, in seconds.
    """
    met, over = Event(), Event()

    def hold() -> None:
        held: list[psutil.Process] = []
        latest = time.monotonic() + patience
        while not (met.is_set() or over.wait(0.1) or time.monotonic() > latest):
            training = trainings(home)
            if len(training) > 1:
                met.set()
            elif training and not held:
                held = training
                held[0].suspend()
        for process in held:
            process.resume()

    holding = Thread(target=hold)
    holding.start()
    try:
        yield
    finally:
        over.set()
        holding.join()
    assert met.is_set(), "the adapters were not trained at the same time"


def test_ray(recipe: Path, tmp_path: Path, tuner: Tuner, prefect_url: str, ray: str, finished: Finished) -> None:
    placed = {"TUNER_PLACEMENT": "ray", "RAY_ADDRESS": ray, "PREFECT_API_URL": prefect_url}
    with two_trainings_at_once(tmp_path / "home"):
        done = tuner("run", str(recipe), **placed)
        assert done.returncode == 0, done.stderr
    assert_alike(finished, tmp_path / "store")
    flow_run = done.stdout.split("flow-run/")[1].split()[0]
    assert states(prefect_url, flow_run)["train lora"] == "Completed"


@pytest.fixture
def second_worker(up: Up) -> Iterator[None]:
    """Another worker of the pool `gpu`, beside the one of `tuner up`."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "gpu", "--type", "process", "--limit", "1"]
    environment = {**os.environ, "PREFECT_API_URL": up.url, "PREFECT_WORKER_QUERY_SECONDS": "2", **up.places}
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    worker.terminate()
    worker.wait(60)


def test_pools(recipe: Path, tuner: Tuner, finished: Finished, up: Up, second_worker: None) -> None:
    with two_trainings_at_once(up.home):
        done = tuner("run", str(recipe), TUNER_PLACEMENT="pools", **up.places)
        assert done.returncode == 0, done.stderr
    assert_alike(finished, up.store)
    flow_run = done.stdout.split("flow-run/")[1].split()[0]
    shown = states(up.url, flow_run)
    assert shown["train lora"] == shown["generate shard 1 to shard 3"] == "Completed"
    names = {run["name"] for run in call(f"{up.url}/flow_runs/filter", {})}
    assert {"words: shard 1 to shard 3", "words: lora r2", "words: prompt_tuning 4 tokens", "words: evaluate"} <= names
