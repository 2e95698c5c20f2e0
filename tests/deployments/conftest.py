"""A Prefect server with a password, and its clients."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployments.settings import cluster
from tests.deployments.processes import Processes, free_port
from tests.warm import Warm

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: The URL of its API.
        auth: `user:password`.
    """

    url: str
    auth: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a client."""
        return {"PREFECT_API_URL": self.url, "PREFECT_API_AUTH_STRING": self.auth}


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory, warm: Warm, database: Path) -> Iterator[Server]:
    """A real Prefect server with a password."""
    home = tmp_path_factory.mktemp("guarded")
    port = free_port()
    server = Server(f"http://127.0.0.1:{port}/api", "admin:open-sesame")
    shutil.copy(database, home)
    processes = Processes(home)
    try:
        processes.serve(
            "server",
            port,
            {
                "PREFECT_HOME": str(home),
                "PREFECT_SERVER_API_AUTH_STRING": server.auth,
                "PREFECT_UI_URL": f"http://127.0.0.1:{port}",
            },
            warm.python,
        )
        yield server
    finally:
        processes.end()


@pytest.fixture
def client(guarded: Server) -> Iterator["SyncPrefectClient"]:
    """A client of the server; the test runs with its settings."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    with (
        temporary_settings({PREFECT_API_URL: guarded.url, PREFECT_API_AUTH_STRING: guarded.auth}),
        get_client(sync_client=True) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Makes every test read the settings of the cluster again."""
    cluster.cache_clear()
    yield
    cluster.cache_clear()
