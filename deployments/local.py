"""A Prefect server on loopback and a worker with the deployments, as `tuner up` runs them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tuner.errors import InputError, StageError

POOL = "tuner"
START_SECONDS = 180.0


def serve(port: int, server_file: Path, python: str) -> int:
    """Starts server and worker, registers the deployments, and waits until interrupted or one of them ends.

    Args:
        port: On 127.0.0.1.
        server_file: Holds the server's URL while it runs, so that `tuner run` finds it.
        python: The interpreter.

    Returns:
        0 when interrupted, 1 if server or worker ended by itself.

    Raises:
        InputError: If the port is taken.
        StageError: If the server does not start, or the deployments cannot be registered.
    """
    url = f"http://127.0.0.1:{port}/api"
    _free(port)
    os.environ["PREFECT_API_URL"] = url
    prefect = [python, "-m", "prefect"]
    children: list[subprocess.Popen[bytes]] = []
    for sign in (signal.SIGINT, signal.SIGTERM):  # a shell may have started this with SIGINT ignored
        signal.signal(sign, signal.default_int_handler)
    try:
        children.append(_start([*prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port)], server_file))
        _wait(url, children[0])
        register(python)
        children.append(_start(worker_command(prefect), server_file))
        server_file.write_text(json.dumps({"url": url}))
        sys.stdout.write(
            f"Prefect UI  http://127.0.0.1:{port}\nstore       {os.environ['TUNER_STORE']}\nCtrl-C ends it\n"
        )
        while all(child.poll() is None for child in children):
            time.sleep(0.5)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        server_file.unlink(missing_ok=True)
        for child in reversed(children):
            _end(child)


def register(python: str) -> None:
    """Makes the work pool and the deployments, in a process of its own, which reads `PREFECT_API_URL` afresh.

    Args:
        python: The interpreter.

    Raises:
        StageError: If the server refuses.
    """
    done = subprocess.run([python, "-m", "deployments.register"], capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise StageError(f"the deployments cannot be registered: {lines[-1]}")


def worker_command(prefect: list[str]) -> list[str]:
    """The command that takes runs from the pool, one at a time."""
    return [*prefect, "worker", "start", "--pool", POOL, "--type", "process", "--limit", "1"]


def _free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise InputError(f"--port {port}: already in use on 127.0.0.1; choose another") from None


def _start(command: list[str], server_file: Path) -> subprocess.Popen[bytes]:
    """Starts a child in a group of its own, so that Ctrl-C reaches it through us, in order; it logs to a file."""
    log = server_file.with_name(f"{command[3]}.log")
    with log.open("ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)


def _wait(url: str, child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and child.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise StageError(f"the Prefect server at {url} did not start; see server.log in the home folder")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends a child and what it started: politely, then not."""
    for sign, patience in ((signal.SIGINT, 15), (signal.SIGKILL, 5)):
        if child.poll() is not None:
            return
        os.killpg(child.pid, sign)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue
