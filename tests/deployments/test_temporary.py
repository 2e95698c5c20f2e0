"""The server that a process starts for itself: it answers, and is gone with that process, however that one ends."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.deployments.processes import PATIENCE, answers, until

PARENT = """
import sys
from pathlib import Path
from deployments.temporary import TemporaryServer

server = TemporaryServer(Path(sys.argv[1]))
server.wait()
print(server.url, server._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path: Path, database: Path) -> Iterator[subprocess.Popen[str]]:
    shutil.copy(database, tmp_path)
    command = [sys.executable, "-c", PARENT, str(tmp_path / "server.log")]
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    yield process
    process.kill()
    process.wait()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("ended", ["at its end", "killed"])
def test_gone_with_its_process(parent: "subprocess.Popen[str]", ended: str) -> None:
    assert parent.stdin and parent.stdout
    url, pid = parent.stdout.readline().split()
    assert answers(f"{url}/health")
    if ended == "killed":
        os.kill(parent.pid, signal.SIGKILL)
    else:
        parent.stdin.close()
        assert parent.wait(PATIENCE) == 0
        assert not psutil.pid_exists(int(pid)), "it is waited for"
    until(lambda: gone(int(pid)), "the server is gone")
    assert not answers(f"{url}/health")
