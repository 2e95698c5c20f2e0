"""After `kill -9` at any moment the same command completes the run with equal data and repeats no complete work."""

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

from tests.deployments.processes import PATIENCE, kill, until
from tests.e2e.conftest import Begin, Finished, Tuner, data_bytes, manifests, start
from tests.e2e.words import MADE
from tests.trainings import trainings

pytestmark = pytest.mark.e2e

INTERRUPTED = "tuner: interrupted; run the same command again to continue"

SLOWER = 8
"""How much slower a busy machine may be than one on which an interrupted run ends in three seconds."""


def assert_kept(store: Path, complete: dict) -> dict:
    """Checks that no complete artifact was made again; returns the manifests that exist now."""
    after = manifests(store)
    for key, manifest in complete.items():
        assert after[key]["attempt"] == manifest["attempt"], f"{key} was complete and was made again"
    return after


def test_killed_at_random_moments(
    recipe: Path, tmp_path: Path, begin: Begin, tuner: Tuner, prefect_url: str, finished: Finished
) -> None:
    store, dice = tmp_path / "store", random.Random(20)
    complete: dict = {}
    kills = 0
    for _ in range(4):
        process = begin("run", str(recipe), PREFECT_API_URL=prefect_url)
        try:
            process.wait(dice.uniform(0.1, 0.5) * finished.seconds)
            break
        except subprocess.TimeoutExpired:
            kill(process)
            kills += 1
        complete = assert_kept(store, complete)
    assert kills and complete

    done = tuner("run", str(recipe), PREFECT_API_URL=prefect_url)
    assert done.returncode == 0, done.stderr
    after = assert_kept(store, complete)
    assert set(after) == set(manifests(finished.store))
    assert data_bytes(after) == data_bytes(manifests(finished.store))


def test_killed_as_each_stage_begins(
    one_adapter: Path, tmp_path: Path, begin: Begin, tuner: Tuner, prefect_url: str
) -> None:
    """Runs the command repeatedly; each run is killed as soon as the next stage works."""
    store, home = tmp_path / "store", tmp_path / "home"
    complete: dict = {}
    for stage, before in zip(MADE, [None, *MADE], strict=False):
        process = begin("run", str(one_adapter), PREFECT_API_URL=prefect_url)
        while process.poll() is None:
            done = {key[0] for key in manifests(store)}
            if (before is None or before in done) and list(home.glob("scratch/*")):
                break
            time.sleep(0.005)
        assert process.poll() is None, f"ended before {stage} was seen to work: {process.communicate()}"
        kill(process)
        for path in home.glob("scratch/*"):
            shutil.rmtree(path)
        complete = assert_kept(store, complete)

    last = tuner("run", str(one_adapter), PREFECT_API_URL=prefect_url)
    assert last.returncode == 0, last.stderr
    assert {stage for stage, _ in assert_kept(store, complete)} == set(MADE)


def interrupt(recipe: Path, home: Path, prefect_url: str, sign: signal.Signals) -> tuple[subprocess.Popen[str], str]:
    """Starts a run as a shell does, and sends its process group a signal as soon as it trains."""
    process = start(["run", str(recipe), "--name", "mine"], PREFECT_API_URL=prefect_url)

    def trains() -> bool:
        assert process.poll() is None, f"ended before a training was seen: {process.communicate()}"
        return bool(trainings(home))

    until(trains, "a training begins")
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, sign)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []
    return process, stderr


def test_a_signal_ends_a_run_at_once_and_the_same_command_resumes_it(
    one_adapter: Path, tmp_path: Path, tuner: Tuner, prefect_url: str, finished: Finished
) -> None:
    store = finished.copy(tmp_path / "store", until="split")
    complete = manifests(store)
    for sign in (signal.SIGINT, signal.SIGTERM):
        process, stderr = interrupt(one_adapter, tmp_path / "home", prefect_url, sign)
        assert process.returncode == 130
        assert stderr == f"{INTERRUPTED}\n"
        assert json.loads((store / "runs" / "mine" / "run.json").read_text())["state"] == "interrupted"

    done = tuner("run", str(one_adapter), "--name", "mine", PREFECT_API_URL=prefect_url)
    assert done.returncode == 0, done.stderr
    assert_kept(store, complete)


@pytest.mark.parametrize("stage", ["curate", "train", "evaluate"])
def test_ctrl_c_ends_a_fresh_run_within_seconds_in_every_stage(
    stage: str, one_adapter: Path, tmp_path: Path, begin: Begin, prefect_url: str
) -> None:
    settings = ["training.lora.epochs=200"] if stage == "train" else ["evaluation.sample_tokens=4000"]
    options = [part for setting in settings for part in ("--set", setting)]
    process = begin("run", str(one_adapter), *options, PREFECT_API_URL=prefect_url)
    before = MADE[MADE.index(stage) - 1]
    until(lambda: any(made == before for made, _ in manifests(tmp_path / "store")), f"{stage} begins")
    process.send_signal(signal.SIGINT)
    clock = time.monotonic()
    _, stderr = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - clock < 3 * SLOWER
    assert (process.returncode, stderr.splitlines()[-1]) == (130, INTERRUPTED)


def test_two_runs_at_once_on_one_store(one_adapter: Path, tmp_path: Path, begin: Begin, prefect_url: str) -> None:
    store = tmp_path / "store"
    # Separate homes, so that no local lock prevents the race in the store.
    processes = [
        begin("run", str(one_adapter), PREFECT_API_URL=prefect_url, TUNER_HOME=str(tmp_path / f"home{i}"))
        for i in range(2)
    ]
    for process in processes:
        _, stderr = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, stderr
    for (stage, fingerprint), manifest in manifests(store).items():
        folder = store / "artifacts" / stage / fingerprint
        attempts = [path.name for path in folder.iterdir() if path.is_dir()]
        assert attempts == [manifest["attempt"]], "only the files of the winning attempt remain"
        for file in manifest["files"]:
            assert (folder / manifest["attempt"] / file["name"]).stat().st_size == file["bytes"]
