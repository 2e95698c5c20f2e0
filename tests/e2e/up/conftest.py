"""One `tuner up` for all tests of this folder."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import make_home
from tests.deployments.processes import Processes, free_port
from tests.e2e.conftest import MAIN
from tests.warm import Warm


def start_up(
    processes: Processes, python: str, port: int | None = None, /, **environment: str
) -> tuple["subprocess.Popen[bytes]", str]:
    """Starts `tuner up` under the name `up` and waits until it is ready; returns the process and its API's URL."""
    port = port or free_port()
    process = processes.start("up", [python, "-c", MAIN, "up", "--port", str(port)], environment)
    processes.until("up", lambda: "Ctrl-C" in processes.said("up"), "`tuner up` is up")
    return process, f"http://127.0.0.1:{port}/api"


@dataclass(frozen=True)
class Up:
    """A running `tuner up` with its own home and store.

    Attributes:
        url: The URL of its API.
        folder: The folder of its `home` and `store`.
    """

    url: str
    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def places(self) -> dict[str, str]:
        """The environment that points `tuner` to this home and store."""
        return {"TUNER_HOME": str(self.home), "TUNER_STORE": str(self.store)}


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory, warm: Warm, database: Path) -> Iterator[Up]:
    """`tuner up`, which must exit with 0 when it is interrupted."""
    folder = tmp_path_factory.mktemp("up")
    make_home(folder / "home")
    (folder / "home" / "prefect").mkdir()
    shutil.copy(database, folder / "home" / "prefect")
    processes = Processes(folder)
    try:
        up = Up("", folder)
        process, url = start_up(processes, warm.python, None, TUNER_GPU_SLOTS="2", **up.places)
        yield Up(url, folder)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, processes.said("up")
        assert not (up.home / "prefect" / "server.json").exists()
    finally:
        processes.end()
