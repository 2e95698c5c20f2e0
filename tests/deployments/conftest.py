"""A Prefect server with a password, and clients that know it."""

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
    """A server that runs.

    Attributes:
        url: Of its API.
        auth: `user:password`.
    """

    url: str
    auth: str

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs."""
        return {"PREFECT_API_URL": self.url, "PREFECT_API_AUTH_STRING": self.auth}


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory, warm: Warm, database: Path) -> Iterator[Server]:
    """A real Prefect server that wants a password."""
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
    """A client of the server, in whose settings the test runs."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    here = {PREFECT_API_URL: guarded.url, PREFECT_API_AUTH_STRING: guarded.auth}
    with temporary_settings(here), get_client(sync_client=True) as client:
        yield client


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Settings of the cluster are read anew by every test."""
    cluster.cache_clear()
    yield
    cluster.cache_clear()
