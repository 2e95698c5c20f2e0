"""The processes of `tuner up`: a Prefect server on loopback, a worker for each pool, and the report server.

Each is a child process that ends with `tuner up`, even if that is killed.
"""

import errno
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

from deployments.child import as_child
from deployments.environment import START_SECONDS, pages
from deployments.settings import POOLS
from tuner.errors import InputError, StageError


def serve(port: int, server_file: Path, python: str) -> None:
    """Starts server, workers and report server, registers the deployments, and waits until interrupted.

    Args:
        port: The server's port on 127.0.0.1; the report server uses the next one.
        server_file: The file with the URLs of the running servers, for `tuner run`; the logs are written beside it. A
            stale file of a killed `tuner up` is removed.
        python: The interpreter.

    Raises:
        InputError: If the port is not valid, or this or the next one cannot be used.
        StageError: If the server does not start, the deployments cannot be registered, or a process ends unexpectedly.
    """
    url = f"http://127.0.0.1:{port}/api"
    _check_free(port)
    server_file.unlink(missing_ok=True)
    os.environ["PREFECT_API_URL"] = url
    os.environ["PREFECT_UI_URL"] = pages(url)  # for the links in notifications
    os.environ["TUNER_REPORTS"] = f"http://127.0.0.1:{port + 1}"
    # Short, since a user who presses Run is waiting.
    os.environ.setdefault("PREFECT_WORKER_QUERY_SECONDS", "2")
    logs = server_file.parent
    children: dict[str, subprocess.Popen[bytes]] = {}
    alive, _ = os.pipe()  # the other end closes when this process ends

    def begin(name: str, *module: str) -> None:
        # In its own process group, so that Ctrl-C does not reach it directly and `end` stops the children in order.
        with (logs / f"{name}.log").open("ab") as log:
            command = as_child(python, *module)
            children[name] = subprocess.Popen(command, stdin=alive, stdout=log, stderr=log, start_new_session=True)

    for signal_number in (signal.SIGINT, signal.SIGTERM):  # a shell may have started this with SIGINT ignored
        signal.signal(signal_number, signal.default_int_handler)
    try:
        begin("reports", "deployments.reports", "--port", str(port + 1))
        begin("server", "deployments.server", "--host", "127.0.0.1", "--port", str(port))
        answers(url, children["server"])
        register(python, alive)
        for pool in POOLS:
            begin(f"worker-{pool}", "deployments.worker", "--pool", pool, "--limit", "1")
        urls = {"url": url, "reports": os.environ["TUNER_REPORTS"], "store": os.environ["TUNER_STORE"]}
        partial = server_file.with_suffix(".part")  # so that the file is never incomplete
        partial.write_text(json.dumps(urls))
        partial.replace(server_file)
        sys.stdout.write(
            f"Prefect UI  http://127.0.0.1:{port}\nreports     {os.environ['TUNER_REPORTS']}\n"
            f"store       {os.environ['TUNER_STORE']}\nCtrl-C ends it\n"
        )
        sys.stdout.flush()  # for a pipe or a file
        while True:
            time.sleep(0.5)
            for name, child in children.items():
                if (code := child.poll()) is not None:
                    log = logs / f"{name}.log"
                    raise StageError(f"the {name} ended unexpectedly with exit code {code}; its log is {log}")
    except KeyboardInterrupt:
        return
    finally:
        server_file.unlink(missing_ok=True)
        for child in reversed(children.values()):
            end(child)


def register(python: str, alive: int) -> None:
    """Registers everything with the server, in a child process, since Prefect reads `PREFECT_API_URL` at import.

    Args:
        python: The interpreter.
        alive: A pipe whose other end closes when this process ends.

    Raises:
        StageError: If the registration fails.
    """
    command = as_child(python, "deployments.register")
    done = subprocess.run(command, stdin=alive, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise StageError(f"the deployments cannot be registered: {lines[-1]}")


def _check_free(port: int) -> None:
    if not 1 <= port < 65535:
        raise InputError(f"--port {port}: not a valid port; choose one from 1 to 65534")
    for number, subject in ((port, ""), (port + 1, f" port {port + 1}, for the report server,")):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError as error:
                why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
                raise InputError(f"--port {port}:{subject} {why} on 127.0.0.1; choose another") from None


def answers(url: str, child: subprocess.Popen[bytes]) -> None:
    """Waits until a server answers.

    Args:
        url: The URL of its API.
        child: Its process.

    Raises:
        StageError: If the process ends, or the server does not answer within `START_SECONDS`.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise StageError(f"the Prefect server at {url} did not start; its log is below `prefect` in the home folder")


def end(child: subprocess.Popen[bytes]) -> None:
    """Ends a child, which leads a process group, and the group: with SIGINT, then with SIGKILL."""
    for signal_number, patience in ((signal.SIGINT, 15), (signal.SIGKILL, 5)):
        if child.poll() is not None:
            return
        os.killpg(child.pid, signal_number)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue
