"""Child processes of a test: started with a log, awaited by what they answer, ended whatever happens."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil


class Processes:
    """Starts processes and kills all of them in the end, the last first.

    Args:
        folder: Where their logs go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._named: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Starts a process in a group of its own; `name.log` has what it says."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=log, stderr=log, start_new_session=True
            )
        self._started.append(process)
        self._named[name] = process
        return process

    def tree(self, name: str) -> list[psutil.Process]:
        """A process and all that it started."""
        process = psutil.Process(self._named[name].pid)
        return [process, *process.children(recursive=True)]

    def kill(self, name: str) -> None:
        """Kills a process and all that it started, as the loss of its machine would."""
        for each in self.tree(name):
            each.kill()

    def said(self, name: str) -> str:
        """What a process has said so far."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end(self) -> None:
        """Ends all: politely, then not."""
        for process in reversed(self._started):
            for sign, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
                if process.poll() is None:
                    os.killpg(process.pid, sign)
                    try:
                        process.wait(patience)
                    except subprocess.TimeoutExpired:
                        continue


def until(answer: Callable[[], Any], seconds: float, what: str) -> Any:
    """Asks again and again until the answer is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := answer():
            return found
        time.sleep(0.5)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")


def answers(url: str) -> bool:
    """Whether a URL answers at all."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False
