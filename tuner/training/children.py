"""Starts training processes: forked from a server that has the libraries imported, or afresh where it cannot fork."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

import tuner

START_SECONDS = 300
"""How long the server may take to import the libraries before a training is started without it."""


class Child(Protocol):
    """A training process.

    Attributes:
        pid: Its id.
        stdout: Its standard output.
    """

    pid: int
    stdout: IO[str] | None

    def kill(self) -> None:
        """Kills it, unless it has ended."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code when it has ended, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: If it has not ended in time.
        """
        ...

    def release(self) -> None:
        """Closes its standard input, which ends it."""


class _Started(subprocess.Popen[str]):
    """A process started afresh."""

    def release(self) -> None:
        if self.stdin is not None:
            self.stdin.close()


class _Forked:
    """A process forked from the server."""

    def __init__(self, pid: int, stdin: int, stdout: int, status: IO[str]) -> None:
        self.pid = pid
        self.stdout: IO[str] | None = os.fdopen(stdout)
        self._stdin, self._status = stdin, status
        self._code: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._follow, name=f"train-{pid}", daemon=True).start()

    def _follow(self) -> None:
        # Without an exit code the server itself was killed, and the process has ended with it.
        self._code = int(self._status.readline() or -signal.SIGKILL)
        self._status.close()
        self._ended.set()

    def kill(self) -> None:
        if not self._ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        assert self._code is not None
        return self._code

    def release(self) -> None:
        os.close(self._stdin)


class Server:
    """The server, as its parent sees it.

    Args:
        quantized: Whether its trainings need bitsandbytes.
    """

    def __init__(self, quantized: bool) -> None:
        self._control, theirs = socket.socketpair()
        options = [] if quantized else ["--without-bitsandbytes"]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tuner.training.forking", *options],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # a training that it cannot fork is started afresh, and says why in its log
            env=_environment(),
            start_new_session=True,
        )
        theirs.close()
        self._control.settimeout(START_SECONDS)
        with suppress(OSError):
            self.refuses = self._control.recv(4096) != b"\n"
        self._control.settimeout(None)

    refuses = True
    """Whether it cannot fork."""

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def end(self) -> None:
        """Ends it and, with it, its trainings."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def fork(self, job: Path, environment: dict[str, str], stderr: IO[str]) -> _Forked:
        """Forks a training.

        Raises:
            OSError: If the server has ended.
        """
        stdin, stdout, status = os.pipe(), os.pipe(), os.pipe()
        theirs = [stdin[0], stdout[1], stderr.fileno(), status[1]]
        try:
            message = json.dumps({"job": str(job), "environment": environment})
            socket.send_fds(self._control, [message.encode()], theirs)
        except OSError:
            for descriptor in (stdin[1], stdout[0], status[0]):
                os.close(descriptor)
            raise
        finally:
            for descriptor in (stdin[0], stdout[1], status[1]):
                os.close(descriptor)
        answers = os.fdopen(status[0])
        if not (pid := answers.readline()):
            answers.close()
            os.close(stdin[1])
            os.close(stdout[0])
            raise ConnectionResetError("the server that forks has ended")
        return _Forked(int(pid), stdin[1], stdout[0], answers)


_servers: dict[bool, Server] = {}
_lock = threading.Lock()


def start(job: Path, quantized: bool, environment: Mapping[str, str], stderr: IO[str]) -> Child:
    """Starts the training of a job, as the leader of a session.

    Args:
        job: The job's file.
        quantized: Whether it needs bitsandbytes.
        environment: What it is to see besides the variables of this process; see `devices.environments`.
        stderr: The file for its standard error.
    """
    whole = {**_environment(), **environment}
    if sys.platform == "linux" and (forked := _forked(job, quantized, whole, stderr)):
        return forked
    return _Started(
        # -P and an explicit path: files in the working directory must not shadow modules.
        [sys.executable, "-P", "-m", "tuner.training.worker", str(job)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=whole,
        start_new_session=True,
    )


def _forked(job: Path, quantized: bool, environment: dict[str, str], stderr: IO[str]) -> _Forked | None:
    """A training forked from the server, which is started if need be; None if it cannot fork."""
    with _lock:
        for _ in range(2):
            server = _servers.get(quantized)
            if server is None or not server.runs:
                server = _servers[quantized] = Server(quantized)
            if server.refuses:
                return None
            # It may have ended since, for want of work.
            with suppress(OSError):
                return server.fork(job, environment, stderr)
    return None


def _environment() -> dict[str, str]:
    root = str(Path(tuner.__file__).parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([root, inherited]) if inherited else root
    # By default glibc returns every larger tensor to the kernel, and the next operation has to fault its pages in
    # again; on a CPU that costs more than the arithmetic. 32 MiB is the largest threshold that glibc accepts.
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 * 1024**2))
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(4 * 1024**3))
    environment["TOKENIZERS_PARALLELISM"] = "false"
    return environment
