"""Child processes of a test: started with a log, awaited by what they answer, ended whatever happens."""

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
"""Seconds that a wait may take on a machine four times slower than this one; where nothing is wrong none comes near."""

COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""The variable by which a process learns that its coverage is measured, which makes it slower by a third."""

_PORTS = iter(random.SystemRandom().sample(range(20000, 32766, 2), 6383))
"""Each is given away once: whoever got it may take seconds to listen. Seeds that tests set do not touch the order."""


class Processes:
    """Starts processes and kills all of them in the end, the last first.

    Args:
        folder: Where their logs go, and below which they may write logs of their own.
    """

    running: ClassVar[list["Processes"]] = []
    """Those that have not ended: a test that fails shows the ends of their logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._named: dict[str, subprocess.Popen[bytes]] = {}
        self.running.append(self)

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Starts a process in a group of its own; `name.log` has what it says.

        Unless asked for, its coverage is not measured: most of what servers and workers do is not our code.
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
        """As the function `until`, but gives up as soon as a process has ended."""

        def asked() -> Any:
            assert self._named[name].poll() is None, f"{name} ended: {self.said(name)[-3000:]}"
            return answer()

        return until(asked, what)

    def tree(self, name: str) -> list[psutil.Process]:
        """A process and all that it started."""
        return family(psutil.Process(self._named[name].pid))

    def kill(self, name: str) -> None:
        """Kills a process and all that it started, as the loss of its machine would."""
        for each in self.tree(name):
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def said(self, name: str) -> str:
        """What a process has said so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end(self) -> None:
        """Ends all: politely, then not."""
        for process in reversed(self._started):
            for sign, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
                if process.poll() is None:
                    with suppress(ProcessLookupError):  # it has ended meanwhile
                        os.killpg(process.pid, sign)
                    try:
                        process.wait(patience)
                    except subprocess.TimeoutExpired:
                        continue
        self.running.remove(self)


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that it started, with what was forked off for it."""
    found = [process, *process.children(recursive=True)]
    forked = {each.info["name"]: each for each in psutil.process_iter(["name"])}
    for each in found:
        if other := forked.get(forked_for(each.pid)):
            found += [other, *other.children(recursive=True)]
    return found


def started(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Starts a command whose output is read, as the leader of a process group.

    Args:
        command: The program and its arguments.
        environment: What differs from this process's.
    """
    variables = {**os.environ, **environment}
    variables.pop("PYTHONUNBUFFERED", None)  # what it says has to come without it, too
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
    """Kills a process, and what was forked off for it; what that has started has to notice by itself."""
    forked = [each.pid for each in psutil.process_iter(["name"]) if each.info["name"] == forked_for(process.pid)]
    both = [process.pid, *forked]
    for each in both:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    process.wait()
    until(lambda: not any(psutil.pid_exists(each) for each in both), "it is gone")


def forked_for(process: int) -> str:
    """What a process is called that was forked off for another."""
    return f"for {process}"


def logs(folder: Path) -> dict[str, str]:
    """The ends of all logs below a folder that are not empty."""
    found = {}
    for path in sorted(folder.rglob("*.log")):
        with suppress(OSError):
            found[str(path.relative_to(folder.parent))] = path.read_text(errors="replace")[-3000:].strip()
    return {name: end for name, end in found.items() if end}


def end_all(folder: Path) -> None:
    """Kills what was started in the folders below and still runs, whoever started it."""
    for path in folder.rglob("*.pid"):
        with suppress(ProcessLookupError):
            os.killpg(int(path.read_text()), signal.SIGKILL)


def until(answer: Callable[[], Any], what: str, seconds: float = PATIENCE, every: float = 0.2) -> Any:
    """Asks every so many seconds until the answer is true, and returns it.

    Raises:
        TimeoutError: If it is not within so many seconds.
    """
    end = time.monotonic() + seconds
    while True:
        if found := answer():
            return found
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
