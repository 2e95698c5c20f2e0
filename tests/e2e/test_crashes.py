"""`kill -9` at any moment, then the same command: it finishes, repeats nothing complete, and leaves the same bytes."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Tuner, data_bytes, manifests, start
from tuner.specs import STAGES

pytestmark = pytest.mark.e2e


def kill(recipe: Path, store: Path, wait: float, **environment: str) -> bool:
    """Starts a run and kills all its processes after `wait` seconds; False if it had ended before."""
    process = start(["run", str(recipe)], TUNER_STORE=str(store), **environment)
    try:
        process.communicate(timeout=wait)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    return False


def test_killed_at_random_moments(recipe: Path, tmp_path: Path, tuner: Tuner, prefect_url: str) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    environment = {"PREFECT_API_URL": prefect_url}
    clock = time.monotonic()
    reference = tuner("run", str(recipe), TUNER_STORE=str(whole), TUNER_HOME=str(tmp_path / "other"), **environment)
    assert reference.returncode == 0, reference.stderr
    seconds = time.monotonic() - clock

    dice = random.Random(20)
    complete: dict = {}
    for _ in range(4):
        if not kill(recipe, broken, dice.uniform(0.15, 0.9) * seconds, **environment):
            break
        now = manifests(broken)
        for key, manifest in complete.items():
            assert now[key]["attempt"] == manifest["attempt"], f"{key} was complete and was made again"
        complete = now

    finished = tuner("run", str(recipe), TUNER_STORE=str(broken), **environment)
    assert finished.returncode == 0, finished.stderr
    after = manifests(broken)
    assert all(after[key]["attempt"] == manifest["attempt"] for key, manifest in complete.items())
    assert set(after) == set(manifests(whole))
    assert data_bytes(broken) == data_bytes(whole)


def test_killed_as_each_stage_begins(recipe: Path, tmp_path: Path, tuner: Tuner, prefect_url: str) -> None:
    """One run after another, each killed at the first sign that the next stage is at work."""
    store, home = tmp_path / "store", tmp_path / "home"
    complete: dict = {}
    for stage, before in zip(STAGES, [None, *STAGES], strict=False):
        process = start(["run", str(recipe)], PREFECT_API_URL=prefect_url)
        while process.poll() is None:
            done = {key[0] for key in manifests(store)}
            if (before is None or before in done) and list(home.glob("scratch/*")):
                break
            time.sleep(0.005)
        assert process.poll() is None, f"ended before {stage} was seen at work"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        for path in home.glob("scratch/*"):
            shutil.rmtree(path)
        after = manifests(store)
        assert all(after[key]["attempt"] == manifest["attempt"] for key, manifest in complete.items())
        complete = after

    finished = tuner("run", str(recipe), PREFECT_API_URL=prefect_url)

    assert finished.returncode == 0, finished.stderr
    after = manifests(store)
    assert all(after[key]["attempt"] == manifest["attempt"] for key, manifest in complete.items())
    assert {key[0] for key in after} == set(STAGES)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_the_same_command_goes_on(
    sign: signal.Signals, recipe: Path, tmp_path: Path, tuner: Tuner, prefect_url: str
) -> None:
    process = start(["run", str(recipe), "--name", "mine"], PREFECT_API_URL=prefect_url)
    leader = psutil.Process(process.pid)
    while not any("tuner.training.worker" in child.cmdline() for child in leader.children(recursive=True)):
        assert process.poll() is None, "ended before a training was seen"
        time.sleep(0.05)
    children = leader.children(recursive=True)

    os.killpg(process.pid, sign)
    _, stderr = process.communicate(timeout=30)

    assert process.returncode == 130
    assert stderr == "tuner: interrupted; the same command goes on where this one stopped\n"
    assert psutil.wait_procs(children, timeout=5)[1] == []
    record = json.loads((tmp_path / "store" / "runs" / "mine" / "run.json").read_text())
    assert record["state"] == "interrupted"
    complete = manifests(tmp_path / "store")
    finished = tuner("run", str(recipe), "--name", "mine", PREFECT_API_URL=prefect_url)
    assert finished.returncode == 0, finished.stderr
    after = manifests(tmp_path / "store")
    assert all(after[key]["attempt"] == manifest["attempt"] for key, manifest in complete.items())


def test_two_runs_at_once_on_one_store(recipe: Path, tmp_path: Path, prefect_url: str) -> None:
    store = tmp_path / "store"
    # Homes of their own, so that no local lock settles what the store has to settle.
    processes = [
        start(["run", str(recipe)], PREFECT_API_URL=prefect_url, TUNER_HOME=str(tmp_path / f"home{i}"))
        for i in range(2)
    ]
    for process in processes:
        _, stderr = process.communicate(timeout=600)
        assert process.returncode == 0, stderr
    for (stage, fingerprint), manifest in manifests(store).items():
        folder = store / "artifacts" / stage / fingerprint
        attempts = [path.name for path in folder.iterdir() if path.is_dir()]
        assert attempts == [manifest["attempt"]], "the loser's files are gone, the winner's are whole"
        for file in manifest["files"]:
            assert (folder / manifest["attempt"] / file["name"]).stat().st_size == file["bytes"]
