"""A Prefect server on loopback with a worker for each pool and the store's reports, as `tuner up` runs them."""

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

from deployments.settings import POOLS
from tuner.errors import InputError, StageError
from tuner.launch import START_SECONDS


def serve(port: int, server_file: Path, python: str) -> None:
    """Starts server, workers and reports, registers the deployments, and waits until interrupted.

    Args:
        port: The server's on 127.0.0.1; the next one is the reports'.
        server_file: Tells `tuner run` of server and reports while they run; the logs lie beside it.
        python: The interpreter.

    Raises:
        InputError: If a port is taken.
        StageError: If the server does not start, the deployments cannot be registered, or a process ends by itself.
    """
    url = f"http://127.0.0.1:{port}/api"
    for each in (port, port + 1):
        _free(each)
    os.environ["PREFECT_API_URL"] = url
    os.environ["PREFECT_UI_URL"] = f"http://127.0.0.1:{port}"  # for the links in notifications
    os.environ["TUNER_REPORTS"] = f"http://127.0.0.1:{port + 1}"
    # A person who presses Run is watching.
    os.environ.setdefault("PREFECT_WORKER_QUERY_SECONDS", "2")
    logs = server_file.parent
    children: dict[str, subprocess.Popen[bytes]] = {}

    def begin(name: str, *module: str) -> None:
        # In a group of its own, so that Ctrl-C reaches it through us, in order.
        with (logs / f"{name}.log").open("ab") as log:
            command = [python, "-m", *module]
            children[name] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    for sign in (signal.SIGINT, signal.SIGTERM):  # a shell may have started this with SIGINT ignored
        signal.signal(sign, signal.default_int_handler)
    try:
        begin("reports", "deployments.reports", "--port", str(port + 1))
        begin("server", "deployments.server", "--host", "127.0.0.1", "--port", str(port))
        answers(url, children["server"])
        register(python)
        for pool in POOLS:
            worker = ("prefect", "worker", "start", "--pool", pool, "--type", "process", "--limit", "1")
            begin(f"worker-{pool}", *worker)
        known = {"url": url, "reports": os.environ["TUNER_REPORTS"], "store": os.environ["TUNER_STORE"]}
        server_file.write_text(json.dumps(known))
        sys.stdout.write(
            f"Prefect UI  http://127.0.0.1:{port}\nreports     {os.environ['TUNER_REPORTS']}\n"
            f"store       {os.environ['TUNER_STORE']}\nCtrl-C ends it\n"
        )
        sys.stdout.flush()  # a pipe or a file gets it now, too
        while True:
            time.sleep(0.5)
            for name, child in children.items():
                if (code := child.poll()) is not None:
                    log = logs / f"{name}.log"
                    raise StageError(f"the {name} ended by itself with exit code {code}; its log is {log}")
    except KeyboardInterrupt:
        return
    finally:
        server_file.unlink(missing_ok=True)
        for child in reversed(children.values()):
            end(child)


def register(python: str) -> None:
    """Makes pools, limit, automations and deployments, in a process of its own, which reads `PREFECT_API_URL` afresh.

    Args:
        python: The interpreter.

    Raises:
        StageError: If the server refuses.
    """
    done = subprocess.run([python, "-m", "deployments.register"], capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise StageError(f"the deployments cannot be registered: {lines[-1]}")


def _free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise InputError(f"--port {port}: already in use on 127.0.0.1; choose another") from None


def answers(url: str, child: subprocess.Popen[bytes]) -> None:
    """Waits until a server answers.

    Args:
        url: Of its API.
        child: Its process.

    Raises:
        StageError: If the process ends, or the server does not answer within `START_SECONDS`.
    """
    latest = time.monotonic() + START_SECONDS
    while time.monotonic() < latest and child.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise StageError(f"the Prefect server at {url} did not start; its log lies below `prefect` in the home folder")


def end(child: subprocess.Popen[bytes]) -> None:
    """Ends a child, the leader of its group, and what it started: politely, then not."""
    for sign, patience in ((signal.SIGINT, 15), (signal.SIGKILL, 5)):
        if child.poll() is not None:
            return
        os.killpg(child.pid, sign)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue
