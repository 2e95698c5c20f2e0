"""docker-compose.yml without Docker: its services as local processes, with its commands and environments.

Only host names, ports and folders are replaced. Postgres and Redis are Debian's; the object store is SeaweedFS in the
version of its image.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.deployments.composed import PASSWORDS, config
from tests.deployments.processes import PATIENCE, Processes, answers, free_port

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
SERVICES = ("postgres", "redis", "objects", "prefect", "reports")


def missing() -> str:
    """The Debian packages that this machine lacks, as a list in words; empty if none."""
    lacking = [] if POSTGRES else ["postgresql"]
    return ", ".join(lacking + ([] if shutil.which("redis-server") else ["redis-server"]))


class Stack:
    """The services, started in the order of their dependencies.

    Args:
        folder: The folder for logs and data.
        variables: The contents of `.env` besides the passwords.
        python: The interpreter of the services.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str], python: str) -> None:
        self.python = python
        self.config = config({**PASSWORDS, **variables})
        self.ports = {name: free_port() for name in SERVICES}
        self.url = f"http://127.0.0.1:{self.ports['prefect']}/api"
        self.folder = folder
        self.processes = Processes(folder)
        # Postgres does not run as root and has no access to root's folders.
        self.database = Path(tempfile.mkdtemp(prefix="postgres-"))

    def environment(self, service: str) -> dict[str, str]:
        """A service's environment, with local addresses and folders."""
        variables = {
            name: self._placed(value) for name, value in self.config["services"][service]["environment"].items()
        }
        return {**variables, "PREFECT_HOME": str(self.folder / "prefect"), "TUNER_HOME": str(self.folder / "home")}

    def command(self, service: str) -> list[str]:
        """A service's command, with the local interpreter."""
        python = {"prefect": [self.python, "-m", "prefect"], "python": [self.python]}
        first, *rest = self.config["services"][service]["command"]
        return [*python[first], *rest]

    def start(self, **server: str) -> None:
        """Starts everything but the workers.

        Args:
            server: Additional environment for both processes of the Prefect server.
        """
        self._start_postgres()
        self._start_redis()
        self._start_objects()
        self.processes.start(
            "prefect",
            [*self.command("prefect"), "--port", str(self.ports["prefect"])],
            {**self.environment("prefect"), **server},
        )
        self.processes.until("prefect", lambda: answers(f"{self.url}/health"), "the Prefect server answers")
        self.start_service("services", **server)
        objects = f"http://127.0.0.1:{self.ports['objects']}/healthz"
        self.processes.until("objects", lambda: answers(objects), "the object store answers")
        self.once("init")

    def start_service(self, service: str, **more: str) -> subprocess.Popen[bytes]:
        """Starts a service that needs no port of its own."""
        return self.processes.start(service, self.command(service), {**self.environment(service), **more})

    def start_reports(self) -> None:
        """Starts the service `reports`, to which links in the UI lead."""
        port = str(self.ports["reports"])
        self.processes.start("reports", [*self.command("reports"), "--port", port], self.environment("reports"))

    def once(self, service: str) -> None:
        """Runs a service to its end."""
        done = self.processes.start(service, self.command(service), self.environment(service))
        assert done.wait(PATIENCE) == 0, self.processes.said(service)

    def healthy(self, service: str) -> bool:
        """Whether a service's health check, a Python program, passes."""
        _, _, *rest = self.config["services"][service]["healthcheck"]["test"]
        environment = {**os.environ, **self.environment(service)}
        return subprocess.run([sys.executable, *map(self._placed, rest)], env=environment).returncode == 0

    def end(self) -> None:
        """Ends everything and removes the database."""
        self.processes.kill("objects")  # it takes 20 s to end
        self.processes.end()
        shutil.rmtree(self.database)

    def _placed(self, text: str) -> str:
        for port, name in ((4200, "prefect"), (4201, "reports")):
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[name]}")
        return re.sub(rf"\b({'|'.join(SERVICES)}):\d+", lambda match: f"127.0.0.1:{self.ports[match[1]]}", text)

    def _start_postgres(self) -> None:
        variables: dict[str, Any] = self.config["services"]["postgres"]["environment"]
        as_nobody: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.database, "nobody")
            as_nobody = ["runuser", "-u", "nobody", "--"]
        bins, data = POSTGRES[-1], self.database / "data"
        password = self.database / "password"
        password.write_text(variables["POSTGRES_PASSWORD"])
        password.chmod(0o644)
        options = [
            "--auth",
            "scram-sha-256",
            "--pwfile",
            password,
            "--username",
            variables["POSTGRES_USER"],
            "--no-sync",
        ]
        subprocess.run(
            [*as_nobody, bins / "initdb", "--encoding", "UTF8", "--locale", "C.UTF-8", *options, data],
            check=True,
            capture_output=True,
            cwd=self.database,
        )
        port = str(self.ports["postgres"])
        listening = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        self.processes.start(
            "postgres", [*as_nobody, str(bins / "postgres"), "-D", str(data), "-p", port, *listening], {}
        )
        address = ["--host", "127.0.0.1", "--port", port, "--username", variables["POSTGRES_USER"]]
        environment = {**os.environ, "PGPASSWORD": variables["POSTGRES_PASSWORD"]}
        ready = [bins / "pg_isready", "--quiet", *address]
        self.processes.until("postgres", lambda: subprocess.run(ready).returncode == 0, "Postgres answers")
        subprocess.run([bins / "createdb", *address, variables["POSTGRES_DB"]], env=environment, check=True)

    def _start_redis(self) -> None:
        file = self.folder / "redis.conf"
        file.write_text(self.config["configs"]["redis"]["content"].replace("dir /data", f"dir {self.folder}"))
        port = str(self.ports["redis"])
        self.processes.start("redis", ["redis-server", str(file), "--bind", "127.0.0.1", "--port", port], {})
        environment = {**os.environ, **self.environment("redis")}
        ping = ["redis-cli", "-p", port, "ping"]

        def answered() -> bool:
            return b"PONG" in subprocess.run(ping, env=environment, capture_output=True).stdout

        self.processes.until("redis", answered, "Redis answers")

    def _start_objects(self) -> None:
        file = self.folder / "s3.json"
        file.write_text(self.config["configs"]["s3"]["content"])
        places = {"-dir=/data": f"-dir={self.folder}", "-s3.config=/etc/seaweedfs/s3.json": f"-s3.config={file}"}
        given: list[str] = self.config["services"]["objects"]["command"]
        command = [places.get(part, part) for part in given]
        command += [f"-s3.port={self.ports['objects']}", f"-s3.port.grpc={free_port()}"]
        for part in ("master", "volume", "filer"):
            command += [f"-{part}.port={free_port()}", f"-{part}.port.grpc={free_port()}"]
        weed = str(Path(sys.executable).with_name("weed"))
        self.processes.start("objects", [weed, "-logtostderr=true", *command], {})
