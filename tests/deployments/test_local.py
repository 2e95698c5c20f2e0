"""`tuner up` before it starts anything: a port that cannot be had is one line that names the one that was given."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deployments import local
from tuner.errors import InputError

TUNER = [sys.executable, "-c", "from cli.commands import main; main()"]


@pytest.fixture
def taken() -> int:
    """A port below 65534 that somebody listens on until the test ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_port_that_is_taken_is_named(taken: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^--port {taken}: is in use on 127.0.0.1; choose another$"):
        local.serve(taken, tmp_path / "server.json", sys.executable)


def test_where_the_reports_port_is_taken_the_one_that_was_given_is_named(taken: int, tmp_path: Path) -> None:
    words = f"^--port {taken - 1}: port {taken}, which the reports get, is in use on 127.0.0.1; choose another$"
    with pytest.raises(InputError, match=words):
        local.serve(taken - 1, tmp_path / "server.json", sys.executable)


@pytest.mark.parametrize("port", [-1, 0, 65535, 70000, 10**30])
def test_what_is_no_port_is_refused(port: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^--port {port}: is no port; give one from 1 to 65534"):
        local.serve(port, tmp_path / "server.json", sys.executable)


def test_it_is_one_line() -> None:
    done = subprocess.run([*TUNER, "up", "--port", "70000"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith("tuner: --port 70000: is no port")
