"""A Prefect server on loopback with a worker for each pool and the store's reports, as `tuner up` runs them.

Each is a child that ends with `tuner up`, even if that one is killed.
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
    """Starts server, workers and reports, registers the deployments, and waits until interrupted.

    Args:
        port: The server's on 127.0.0.1; the next one is the reports'.
        server_file: Tells `tuner run` of server and reports while they run; the logs lie beside it. One that was left
            by a killed `tuner up` is removed.
        python: The interpreter.

    Raises:
        InputError: If it is no port, or this one or the next cannot be had.
        StageError: If the server does not start, the deployments cannot be registered, or a process ends by itself.
    """
    url = f"http://127.0.0.1:{port}/api"
    _free(port)
    server_file.unlink(missing_ok=True)
    os.environ["PREFECT_API_URL"] = url
    os.environ["PREFECT_UI_URL"] = pages(url)  # for the links in notifications
    os.environ["TUNER_REPORTS"] = f"http://127.0.0.1:{port + 1}"
    # A person who presses Run is watching.
    os.environ.setdefault("PREFECT_WORKER_QUERY_SECONDS", "2")
    logs = server_file.parent
    children: dict[str, subprocess.Popen[bytes]] = {}
    alive, _ = os.pipe()  # its other end closes with this process

    def begin(name: str, *module: str) -> None:
        # In a group of its own, so that Ctrl-C reaches it through us, in order.
        with (logs / f"{name}.log").open("ab") as log:
            command = as_child(python, *module)
            children[name] = subprocess.Popen(command, stdin=alive, stdout=log, stderr=log, start_new_session=True)

    for sign in (signal.SIGINT, signal.SIGTERM):  # a shell may have started this with SIGINT ignored
        signal.signal(sign, signal.default_int_handler)
    try:
        begin("reports", "deployments.reports", "--port", str(port + 1))
        begin("server", "deployments.server", "--host", "127.0.0.1", "--port", str(port))
        answers(url, children["server"])
        register(python, alive)
        for pool in POOLS:
            begin(f"worker-{pool}", "deployments.worker", "--pool", pool, "--limit", "1")
        known = {"url": url, "reports": os.environ["TUNER_REPORTS"], "store": os.environ["TUNER_STORE"]}
        written = server_file.with_suffix(".part")  # whoever is killed here leaves no half of the file
        written.write_text(json.dumps(known))
        written.replace(server_file)
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


def register(python: str, alive: int) -> None:
    """Makes pools, limit, automations and deployments, in a process of its own, which reads `PREFECT_API_URL` afresh.

    Args:
        python: The interpreter.
        alive: A pipe whose other end closes with this process.

    Raises:
        StageError: If the server refuses.
    """
    command = as_child(python, "deployments.register")
    done = subprocess.run(command, stdin=alive, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise StageError(f"the deployments cannot be registered: {lines[-1]}")


def _free(port: int) -> None:
    if not 1 <= port < 65535:
        raise InputError(f"--port {port}: is no port; give one from 1 to 65534 (the next one is the reports')")
    for each, told in ((port, ""), (port + 1, f" port {port + 1}, which the reports get,")):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", each))
            except OSError as error:
                why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
                raise InputError(f"--port {port}:{told} {why} on 127.0.0.1; choose another") from None


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
