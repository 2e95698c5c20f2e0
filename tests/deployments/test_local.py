"""`tuner up` before it starts anything: a port that cannot be used is one line that names it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments import local
from tuner.errors import InputError

TUNER = [sys.executable, "-c", "from cli.commands import main; main()"]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port below 65534 that is in use until the test ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_port_in_use_is_named(taken: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^--port {taken}: is in use on 127.0.0.1; choose another$"):
        local.serve(taken, tmp_path / "server.json", sys.executable)


def test_if_the_report_servers_port_is_in_use_both_ports_are_named(taken: int, tmp_path: Path) -> None:
    words = f"^--port {taken - 1}: port {taken}, for the report server, is in use on 127.0.0.1; choose another$"
    with pytest.raises(InputError, match=words):
        local.serve(taken - 1, tmp_path / "server.json", sys.executable)


@pytest.mark.parametrize("port", [-1, 0, 65535, 70000, 10**30])
def test_an_invalid_port_is_refused(port: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^--port {port}: not a valid port; choose one from 1 to 65534"):
        local.serve(port, tmp_path / "server.json", sys.executable)


def test_it_is_one_line() -> None:
    done = subprocess.run([*TUNER, "up", "--port", "70000"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith("tuner: --port 70000: not a valid port")
