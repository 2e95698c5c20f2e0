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

from tests.e2e.conftest import Tuner, data_bytes, free_port, manifests, trainings, write_recipe
from tests.rest import call, states

pytestmark = pytest.mark.e2e

RAY = [sys.executable, "-m", "ray.scripts.scripts"]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Ray cluster of one node with two GPUs that are only counted."""
    port = free_port()
    start = ["start", "--head", f"--port={port}", "--num-gpus=2", "--num-cpus=4", "--include-dashboard=false"]
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # whatever token this machine keeps
    subprocess.run([*RAY, *start], check=True, stdout=subprocess.DEVNULL)
    yield f"127.0.0.1:{port}"
    subprocess.run([*RAY, "stop", "--force"], check=True, stdout=subprocess.DEVNULL)


def adapters(store: Path) -> dict[str, dict[str, numpy.ndarray]]:
    """The weights of every adapter, by the fingerprint of its artifact."""
    paths = store.glob("artifacts/train/*/*/adapter/adapter_model.safetensors")
    return {path.parts[-4]: load_file(path) for path in paths}


def assert_alike(one: Path, other: Path) -> None:
    assert set(manifests(one)) == set(manifests(other))
    assert data_bytes(one) == data_bytes(other)
    weights = adapters(other)
    assert len(weights) == 2
    for fingerprint, mine in adapters(one).items():
        for name, tensor in mine.items():
            numpy.testing.assert_allclose(tensor, weights[fingerprint][name], atol=1e-3, err_msg=name)


@pytest.fixture(scope="module")
def here(word_model: Path, tmp_path_factory: pytest.TempPathFactory, tuner: Tuner, prefect_url: str) -> Path:
    """The store of a run that computed everything itself."""
    folder = tmp_path_factory.mktemp("here")
    store, home = folder / "store", folder / "home"
    places = {"TUNER_STORE": str(store), "TUNER_HOME": str(home), "PREFECT_API_URL": prefect_url}
    done = tuner("run", str(write_recipe(folder, word_model)), **places)
    assert done.returncode == 0, done.stderr
    return store


@contextmanager
def two_trainings_at_once(home: Path, patience: float = 300) -> Iterator[None]:
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


def test_ray(recipe: Path, tmp_path: Path, tuner: Tuner, prefect_url: str, cluster: str, here: Path) -> None:
    store = tmp_path / "ray"
    placed = {"TUNER_PLACEMENT": "ray", "RAY_ADDRESS": cluster, "PREFECT_API_URL": prefect_url}
    with two_trainings_at_once(tmp_path / "home"):
        done = tuner("run", str(recipe), TUNER_STORE=str(store), **placed)
        assert done.returncode == 0, done.stderr
    assert_alike(here, store)
    flow_run = done.stdout.split("flow-run/")[1].split()[0]
    assert states(prefect_url, flow_run)["train lora"] == "Completed"


@pytest.fixture
def second_worker(up: str) -> Iterator[None]:
    """Another worker of the pool `gpu`, beside the one of `tuner up`."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "gpu", "--type", "process", "--limit", "1"]
    environment = {**os.environ, "PREFECT_API_URL": up, "PREFECT_WORKER_QUERY_SECONDS": "2"}
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    worker.terminate()
    worker.wait(60)


def test_pools(recipe: Path, tmp_path: Path, tuner: Tuner, here: Path, up: str, second_worker: None) -> None:
    with two_trainings_at_once(tmp_path / "home"):
        done = tuner("run", str(recipe), TUNER_PLACEMENT="pools", PREFECT_API_URL=up)
        assert done.returncode == 0, done.stderr
    store = tmp_path / "store"
    assert_alike(here, store)
    flow_run = done.stdout.split("flow-run/")[1].split()[0]
    shown = states(up, flow_run)
    assert shown["train lora"] == shown["generate shard 1 to shard 3"] == "Completed"
    names = {run["name"] for run in call(f"{up}/flow_runs/filter", {})}
    assert {"words: shard 1 to shard 3", "words: lora r2", "words: prompt_tuning 4 tokens", "words: evaluate"} <= names
