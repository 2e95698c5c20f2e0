"""Fixtures of end-to-end tests: the command as a process of its own, a real Prefect server, a tiny recipe.

What is slow to make is made once and shared: a Prefect server, and a finished run, whose store tests copy. Tests in a
subfolder share more; the names and seeds of their recipes keep them apart.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import once
from tests.deployments.processes import Processes, free_port, started, until
from tests.e2e.words import LORA, MADE, PROMPT_TUNING, RECIPE, make_word_model
from tests.present import present
from tests.warm import Warm

MAIN = "from cli.commands import main; main()"
TUNER = [sys.executable, "-c", MAIN]

SLOT_HOLDER = (
    "import sys\nfrom tasks.slots import slot\nprint('asks', flush=True)\n"
    "with slot('train'):\n    print('held', flush=True)\n    sys.stdin.read()"
)

LONGEST_SECONDS = 1500.0
"""The timeout of a command."""

Tuner = Callable[..., subprocess.CompletedProcess[str]]
Begin = Callable[..., "subprocess.Popen[str]"]


def start(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    """Starts `tuner` as a shell does, with nothing imported before, as the leader of a process group."""
    return started([*TUNER, *arguments], environment)


@pytest.fixture(scope="session")
def begin(warm: Warm) -> Begin:
    """A function that starts `tuner` as the leader of a process group, so that its children can be killed with it."""
    return lambda *arguments, **environment: warm.start(MAIN, *arguments, **environment)


@pytest.fixture(scope="session")
def tuner(begin: Begin) -> Tuner:
    """A function that runs `tuner` to its end."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = begin(*arguments, **environment)
        try:
            stdout, stderr = process.communicate(timeout=LONGEST_SECONDS)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode is not None
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    return run


def holder(environment: dict[str, str]) -> "subprocess.Popen[str]":
    """A process that asks for a slot, prints `held`, and keeps it until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOT_HOLDER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert present(process.stdout).readline() == "asks\n"
    return process


@pytest.fixture(scope="session")
def prefect_url(common: Path, database: Path, warm: Warm) -> str:
    """The API URL of a real Prefect server, for tests that need one with no particular state."""
    folder = common / "prefect"
    with once(folder) as first:
        if first:
            unused = ("SCHEDULER", "LATE_RUNS", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "FOREMAN", "TRIGGERS")
            off = {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in unused}  # there are no deployments
            shutil.copy(database, folder)
            url = Processes(folder).serve("server", free_port(), {"PREFECT_HOME": str(folder), **off}, warm.python)
            (folder / "url").write_text(url)
    return (folder / "url").read_text()


@pytest.fixture(scope="session")
def word_model(common: Path) -> Path:
    """A tiny model whose output is English words."""
    folder = common / "model"
    with once(folder) as first:
        if first:
            make_word_model(folder)
    return folder


def write_recipe(folder: Path, model: Path, *adapters: str) -> Path:
    path = folder / "words.yaml"
    path.write_text(RECIPE.format(model=model, adapters="".join(adapters)))
    return path


@pytest.fixture
def recipe(word_model: Path, tmp_path: Path) -> Path:
    """A recipe that runs in seconds."""
    return write_recipe(tmp_path, word_model, LORA, PROMPT_TUNING)


@pytest.fixture
def one_adapter(word_model: Path, tmp_path: Path) -> Path:
    """The same with one adapter, for tests that need no second one."""
    return write_recipe(tmp_path, word_model, LORA)


@dataclass(frozen=True)
class Finished:
    """A completed run of `recipe`.

    Attributes:
        store: Its store.
        name: Its name.
        seconds: Its duration.
    """

    store: Path
    name: str
    seconds: float

    def copy(self, store: Path, until: str = "report") -> Path:
        """Copies the store without the artifacts after a stage, so that a run begins after that stage."""
        shutil.copytree(self.store, store)
        for stage in MADE[MADE.index(until) + 1 :]:
            shutil.rmtree(store / "artifacts" / stage)
        return store


@pytest.fixture(scope="session")
def finished(common: Path, word_model: Path, request: pytest.FixtureRequest) -> Finished:
    """A run that computed everything in one process, made once.

    Its folders have names that look like patterns and markup, and its environment names unreachable proxies.
    """
    folder = common / "finished"
    special = folder / "[a*" / ":cat:[/b]"
    store, about = folder / "store", folder / "about.json"
    with once(folder) as first:
        if first:
            tuner, prefect_url = (request.getfixturevalue(name) for name in ("tuner", "prefect_url"))
            recipe = write_recipe(folder, word_model, LORA, PROMPT_TUNING)
            places = {
                "TUNER_STORE": f"{special}//store/",
                "TUNER_HOME": str(special / "home"),
                "PREFECT_API_URL": prefect_url,
            }
            proxies = {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "socks://127.0.0.1:9"}
            clock = time.monotonic()
            done = tuner("run", str(recipe), **places, **proxies)
            assert done.returncode == 0, done.stderr
            assert f"{special}/store/artifacts/report/" in done.stdout
            (special / "store").rename(store)
            (name,) = (path.name for path in (store / "runs").iterdir())
            about.write_text(json.dumps({"name": name, "seconds": time.monotonic() - clock}))
    return Finished(store, **json.loads(about.read_text()))


def until_checkpoint(checkpoints: Path) -> None:
    """Waits until a training has written a checkpoint from which it can resume.

    Args:
        checkpoints: The checkpoint folder of a training, or of a home.
    """
    until(lambda: list(checkpoints.rglob("checkpoint-*/complete.json")), "a training writes a checkpoint")


def manifests(store: Path) -> dict[tuple[str, str], dict]:
    """Every manifest of a local store, by stage and fingerprint."""
    parsed = [json.loads(path.read_text()) for path in store.glob("artifacts/*/*/manifest.json")]
    return {(manifest["stage"], manifest["fingerprint"]): manifest for manifest in parsed}


def record_of(store: Path, recipe: str) -> dict:
    """The record of the only run of a recipe with this name in a local store."""
    records = [json.loads(path.read_text()) for path in store.glob("runs/*/run.json")]
    (record,) = (record for record in records if record["recipe"]["name"] == recipe)
    return record


def artifacts_of(store: Path, recipe: str) -> dict[tuple[str, str], dict]:
    """The manifests that the only run of a recipe with this name made or used."""
    everything = manifests(store)
    used = [(each["stage"], each["fingerprint"]) for each in record_of(store, recipe)["artifacts"]]
    return {key: everything[key] for key in used}


def data_bytes(manifests: dict[tuple[str, str], dict]) -> dict[tuple[str, str], list]:
    """The sha256 of every file of the stages up to `split`."""
    return {
        key: [(file["name"], file["sha256"]) for file in manifest["files"]]
        for key, manifest in manifests.items()
        if key[0] in ("generate", "examine", "match", "curate", "split")
    }
