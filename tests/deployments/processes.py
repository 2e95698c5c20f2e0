"""Child processes of a test: started with a log, awaited by their responses, and always ended."""

import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import psutil

PATIENCE = 400.0
"""Timeout of a wait in seconds, with a margin for a machine four times slower than the developers'."""

COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""The variable that turns on coverage in a process, which makes it slower by a third."""

_PORTS = iter(random.SystemRandom().sample(range(20000, 32766, 2), 6383))
"""Each port is returned once, since its user may take seconds to listen. Seeds set by tests do not affect the order."""


class Processes:
    """Starts processes and ends all of them, in reverse order.

    Args:
        folder: Where their logs go, and below which they may write logs of their own.
    """

    running: ClassVar[list["Processes"]] = []
    """The instances with running processes: a failing test shows the ends of their logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._named: dict[str, subprocess.Popen[bytes]] = {}
        self.running.append(self)

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Starts a process in its own group; its output goes to `name.log`.

        By default its coverage is not measured, since servers and workers run mostly Prefect's code.
        """
        inherited = {name: value for name, value in os.environ.items() if name != COVERAGE}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env={**inherited, **environment}, stdout=log, stderr=log, start_new_session=True
            )
        self._started.append(process)
        self._named[name] = process
        (self.folder / f"{name}.pid").write_text(str(process.pid))
        return process

    def serve(self, name: str, port: int, environment: Mapping[str, str], python: str) -> str:
        """Starts a Prefect server on loopback and waits until it answers; returns its API's URL."""
        command = ["deployments.server", "--host", "127.0.0.1", "--port", str(port)]
        self.start(name, [python, "-m", *command], {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", **environment})
        url = f"http://127.0.0.1:{port}/api"
        self.until(name, lambda: answers(f"{url}/health"), "the Prefect server answers")
        return url

    def until(self, name: str, answer: Callable[[], Any], what: str) -> Any:
        """Like the function `until`, but fails as soon as a process has ended."""

        def checked() -> Any:
            assert self._named[name].poll() is None, f"{name} ended: {self.said(name)[-3000:]}"
            return answer()

        return until(checked, what)

    def tree(self, name: str) -> list[psutil.Process]:
        """A process and its descendants."""
        return family(psutil.Process(self._named[name].pid))

    def kill(self, name: str) -> None:
        """Kills a process and its descendants, as the loss of its machine would."""
        for each in self.tree(name):
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def said(self, name: str) -> str:
        """The output of a process so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end(self) -> None:
        """Ends all processes, with SIGKILL if needed."""
        for process in reversed(self._started):
            for sign, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
                if process.poll() is None:
                    with suppress(ProcessLookupError):  # it has ended
                        os.killpg(process.pid, sign)
                    try:
                        process.wait(patience)
                    except subprocess.TimeoutExpired:
                        continue
        self.running.remove(self)


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its descendants, including those forked from another process for it."""
    processes = [process, *process.children(recursive=True)]
    forked = {each.info["name"]: each for each in psutil.process_iter(["name"])}
    for each in processes:
        if other := forked.get(forked_for(each.pid)):
            processes += [other, *other.children(recursive=True)]
    return processes


def started(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Starts a command whose output is read, as the leader of a process group.

    Args:
        command: The program and its arguments.
        environment: What differs from this process's.
    """
    variables = {**os.environ, **environment}
    variables.pop("PYTHONUNBUFFERED", None)  # its output must also arrive without it
    return subprocess.Popen(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill(process: "subprocess.Popen[Any]") -> None:
    """Kills a process and those forked for it; their own children must notice by themselves."""
    forked = [each.pid for each in psutil.process_iter(["name"]) if each.info["name"] == forked_for(process.pid)]
    both = [process.pid, *forked]
    for each in both:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    process.wait()
    until(lambda: not any(psutil.pid_exists(each) for each in both), "it is gone")


def forked_for(process: int) -> str:
    """The name of a process that was forked for another."""
    return f"for {process}"


def logs(folder: Path) -> dict[str, str]:
    """The ends of all logs below a folder that are not empty."""
    tails = {}
    for path in sorted(folder.rglob("*.log")):
        with suppress(OSError):
            tails[str(path.relative_to(folder.parent))] = path.read_text(errors="replace")[-3000:].strip()
    return {name: end for name, end in tails.items() if end}


def end_all(folder: Path) -> None:
    """Kills all processes that were started in a folder below and still run."""
    for path in folder.rglob("*.pid"):
        with suppress(ProcessLookupError):
            os.killpg(int(path.read_text()), signal.SIGKILL)


def until(answer: Callable[[], Any], what: str, seconds: float = PATIENCE, every: float = 0.2) -> Any:
    """Polls until the answer is true, and returns it.

    Raises:
        TimeoutError: If it is not true in time.
    """
    end = time.monotonic() + seconds
    while True:
        if result := answer():
            return result
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)


def answers(url: str) -> bool:
    """Whether a URL answers at all."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port on loopback that nobody uses, nor the next one.

    It lies below those that Linux gives to whatever connects (32768 to 60999), lest another process gets it first.
    """
    for port in _PORTS:
        with socket.socket() as one, socket.socket() as other, suppress(OSError):
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 1))
            return port
    raise RuntimeError("no port is free")
