"""The parts of an end-to-end test: the command as a process of its own, a real Prefect server, a tiny recipe."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.words import RECIPE, make_word_model

TUNER = [sys.executable, "-c", "from tuner.cli import main; main()"]

Tuner = Callable[..., subprocess.CompletedProcess[str]]


def start(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    """Starts `tuner` as the leader of a process group, so that all of it can be killed at once."""
    return subprocess.Popen(
        [*TUNER, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def tuner() -> Tuner:
    """Runs `tuner` to its end."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = start(list(arguments), **environment)
        stdout, stderr = process.communicate(timeout=1200)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    return run


def free_port() -> int:
    """A port on loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prefect server, shared by the tests that only need one to be there."""
    home = tmp_path_factory.mktemp("prefect")
    port = free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
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


@pytest.fixture(scope="session")
def word_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model that speaks in words."""
    return make_word_model(tmp_path_factory.mktemp("words") / "model")


@pytest.fixture
def recipe(word_model: Path, tmp_path: Path) -> Path:
    """A recipe that ends in seconds."""
    path = tmp_path / "words.yaml"
    path.write_text(RECIPE.format(model=word_model))
    return path


def manifests(store: Path) -> dict[tuple[str, str], dict]:
    """Every manifest of a local store, by stage and fingerprint."""
    found = [json.loads(path.read_text()) for path in store.glob("artifacts/*/*/manifest.json")]
    return {(manifest["stage"], manifest["fingerprint"]): manifest for manifest in found}


def data_bytes(store: Path) -> dict[tuple[str, str], list]:
    """The sha256 of every file that generation, curation and split left."""
    return {
        key: [(file["name"], file["sha256"]) for file in manifest["files"]]
        for key, manifest in manifests(store).items()
        if key[0] in ("generate", "curate", "split")
    }
