"""A Prefect server with this project's deployments, and a process worker per pool on which pipelines place work."""

import shutil
from pathlib import Path
from typing import Any

from deployments.environment import PREFECT
from deployments.settings import POOLS
from tests.deployments.processes import PATIENCE, Processes, free_port
from tests.rest import call, trigger, wait


class Cluster:
    """A server and workers, which can be killed and restarted by name: `server`, `cpu`, `gpu`.

    Args:
        folder: For logs, the server's database, the store and the workers' home.
        python: The interpreter of its workers.
    """

    def __init__(self, folder: Path, python: str) -> None:
        self.python = python
        self.processes = Processes(folder)
        self.store, self.home = folder / "store", folder / "home"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.environment = {
            **PREFECT,
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
            "PREFECT_API_URL": self.url,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "TUNER_GPU_SLOTS": "2",
            "TUNER_HOME": str(self.home),
            "TUNER_PLACEMENT": "pools",
            "TUNER_STORE": str(self.store),
        }

    def start(self, database: Path) -> None:
        """Starts everything, with a copy of a new server's database."""
        (home := Path(self.environment["PREFECT_HOME"])).mkdir()
        shutil.copy(database, home)
        self.serve()
        done = self._prefect("register", "deployments.register")
        assert done.wait(PATIENCE) == 0, self.processes.said("register")
        for pool in POOLS:
            self.work(pool)

    def serve(self) -> None:
        """Starts the server with its database."""
        self.processes.serve("server", self.port, self.environment, self.python)

    def work(self, pool: str) -> None:
        """Starts the worker of a pool, for two flow runs at once."""
        self._prefect(pool, "deployments.worker", "--pool", pool, "--limit", "2")

    def trigger(self, deployment: str, **parameters: Any) -> str:
        """Triggers a deployment as the UI does; returns the flow run's id."""
        return trigger(self.url, deployment, parameters)

    def wait(self, flow_run: str) -> dict[str, Any]:
        """Waits for a flow run to end."""
        return wait(self.url, flow_run)

    def runs(self, name: str, *deployments: str) -> list[dict[str, Any]]:
        """The flow runs of these deployments whose name contains a text, by start time."""
        body = {
            "flow_runs": {"name": {"like_": name}},
            "deployments": {"name": {"any_": list(deployments)}},
            "sort": "START_TIME_ASC",
        }
        return call(f"{self.url}/flow_runs/filter", body)

    def _prefect(self, name: str, *command: str) -> Any:
        return self.processes.start(name, [self.python, "-m", *command], self.environment)
