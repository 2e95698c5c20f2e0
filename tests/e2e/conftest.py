"""The parts of an end-to-end test: the command as a process of its own, a real Prefect server, a tiny recipe."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.e2e.words import RECIPE, make_word_model

if TYPE_CHECKING:
    from tests.e2e.cluster import Cluster

TUNER = [sys.executable, "-c", "from tuner.cli import main; main()"]

_PORTS = iter(random.SystemRandom().sample(range(20000, 32766, 2), 6383))
"""Each is given away once: whoever got it may take seconds to listen. Seeds that tests set do not touch the order."""

SLOT_HOLDER = (
    "import sys\nfrom tasks.slots import slot\nwith slot('train'):\n    print('held', flush=True)\n    sys.stdin.read()"
)

Tuner = Callable[..., subprocess.CompletedProcess[str]]


def start(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    """Starts `tuner` as the leader of a process group, so that all of it can be killed at once."""
    variables = {**os.environ, **environment}
    variables.pop("PYTHONUNBUFFERED", None)  # what it says has to come without it, too
    return subprocess.Popen(
        [*TUNER, *arguments],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def start_server(**environment: str) -> tuple[subprocess.Popen[str], str]:
    """Starts `tuner up` and waits until it is up: the process, and its API's URL."""
    port = free_port()
    process = start(["up", "--port", str(port)], **environment)
    assert process.stdout and process.stderr
    if not any("Ctrl-C" in line for line in process.stdout):
        raise RuntimeError(process.stderr.read())
    return process, f"http://127.0.0.1:{port}/api"


@pytest.fixture(scope="session")
def tuner() -> Tuner:
    """Runs `tuner` to its end."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = start(list(arguments), **environment)
        stdout, stderr = process.communicate(timeout=1200)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    return run


def holder(environment: dict[str, str]) -> "subprocess.Popen[str]":
    """A process that takes the slot, says so, and holds it until its standard input is closed."""
    return subprocess.Popen(
        [sys.executable, "-c", SLOT_HOLDER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def free_port() -> int:
    """A port on loopback that nobody uses, nor the next one.

    It lies below those that Linux gives to whatever connects (32768 to 60999), lest another process gets it first.
    """
    for port in _PORTS:
        with socket.socket() as one, socket.socket() as other, suppress(OSError):
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 1))
            return port
    raise RuntimeError("no port is free")


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prefect server, shared by the tests that only need one to be there."""
    home = tmp_path_factory.mktemp("prefect")
    port = free_port()
    command = [sys.executable, "-m", "deployments.server", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            env={**os.environ, "PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}/api"
    for _ in range(360):
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                break
        except OSError:
            time.sleep(0.5)
    else:
        raise RuntimeError((home / "server.log").read_text())
    yield url
    server.terminate()
    server.wait(30)


@pytest.fixture
def up() -> Iterator[str]:
    """`tuner up`, by its API's URL."""
    process, url = start_server(TUNER_GPU_SLOTS="2")
    yield url
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, process.stderr.read()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Cluster"]:
    """A server with workers, on which pipelines place their work; it has a store and a home of its own."""
    from tests.e2e.cluster import Cluster

    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.processes.end()


@pytest.fixture(scope="session")
def word_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model that speaks in words."""
    return make_word_model(tmp_path_factory.mktemp("words") / "model")


def write_recipe(folder: Path, model: Path) -> Path:
    path = folder / "words.yaml"
    path.write_text(RECIPE.format(model=model))
    return path


@pytest.fixture
def recipe(word_model: Path, tmp_path: Path) -> Path:
    """A recipe that ends in seconds."""
    return write_recipe(tmp_path, word_model)


def trainings(home: Path) -> list[psutil.Process]:
    """The processes that train and belong to a home."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "tuner.training.worker" in command and command[-1].startswith(str(home)):
            found.append(process)
    return found


def manifests(store: Path) -> dict[tuple[str, str], dict]:
    """Every manifest of a local store, by stage and fingerprint."""
    found = [json.loads(path.read_text()) for path in store.glob("artifacts/*/*/manifest.json")]
    return {(manifest["stage"], manifest["fingerprint"]): manifest for manifest in found}


def data_bytes(store: Path) -> dict[tuple[str, str], list]:
    """The sha256 of every file that generation, curation and split left."""
    return {
        key: [(file["name"], file["sha256"]) for file in manifest["files"]]
        for key, manifest in manifests(store).items()
        if key[0] in ("generate", "examine", "match", "curate", "split")
    }
