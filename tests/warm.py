"""Processes that begin with the model libraries imported: `python -m tests.warm SOCKET` forks one for each command.

Importing torch, transformers and peft takes longer than the run of a tiny model. What is forked off is a process like
any other: it has a session, an environment, a folder and an output of its own, and can be killed. Only libraries are
shared that start no thread and read none of our environment when they are imported: not Prefect, nor polars.
"""

import atexit
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tests.deployments.processes import COVERAGE, Processes

_DESCRIPTORS = 3
_ANSWER = 16  # bytes of each number that comes back: a process may end before its id is read


@dataclass
class Process:
    """A process that was forked off; the interface is that of `subprocess.Popen` where both have it.

    Attributes:
        pid: Its id, and that of its process group.
        returncode: Its exit code, or the negative number of the signal that ended it; None while it runs.
    """

    pid: int
    _ended: socket.socket
    _stdout: Path
    _stderr: Path
    returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code if it has ended."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Waits until it has ended.

        Raises:
            TimeoutExpired: If it has not within so many seconds.
        """
        if self.returncode is None:
            self._ended.settimeout(timeout)
            try:
                status = self._ended.recv(_ANSWER)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from None
            assert status, "the process that forks is gone"
            self._ended.close()
            self.returncode = int(status)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits until it has ended; returns what it wrote on standard output and standard error.

        Raises:
            TimeoutExpired: If it has not ended within so many seconds.
        """
        self.wait(timeout)
        return self._stdout.read_text(), self._stderr.read_text()


class Warm:
    """The process that forks, from the side of those who ask it; several processes may ask the same one.

    Args:
        folder: For its socket, its log and the output of what it forks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = str(folder / "socket")

    @staticmethod
    def serve(processes: Processes) -> None:
        """Starts the process that forks, in the folder where its logs go."""
        path = processes.folder / "socket"
        # Read when the libraries are imported: progress bars, and threads, with which nothing could be forked.
        environment = {"DO_NOT_TRACK": "1", "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
        environment |= {COVERAGE: os.environ[COVERAGE]} if COVERAGE in os.environ else {}
        processes.start("warm", [sys.executable, "-m", "tests.warm", str(path)], environment)
        processes.until("warm", path.exists, "the process that forks is there")

    def start(self, code: str, *arguments: str, **environment: str) -> Process:
        """Starts Python code, as `python -c` does, as the leader of a process group.

        Args:
            code: The program.
            arguments: `sys.argv` behind its first element.
            environment: What differs from this process's.
        """
        name = uuid.uuid4().hex
        stdout, stderr = (self._folder / f"{name}.{stream}" for stream in ("stdout", "stderr"))
        command = {
            "code": code,
            "arguments": arguments,
            "environment": {**os.environ, **environment},
            "folder": str(Path.cwd()),
        }
        connection = self._connected()
        with Path(os.devnull).open("rb") as nothing, stdout.open("wb") as out, stderr.open("wb") as err:
            connection.sendall(len(message := json.dumps(command).encode()).to_bytes(8))
            connection.sendall(message)
            socket.send_fds(connection, [b"f"], [nothing.fileno(), out.fileno(), err.fileno()])
        pid = int(connection.recv(_ANSWER))
        return Process(pid, connection, stdout, stderr)

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(self._socket)
        return connection


def _serve(path: str) -> dict[str, Any]:
    """Forks for every command that comes; returns it in the process that was forked, and exits in the other."""
    import fastapi  # noqa: F401
    import httpx  # noqa: F401
    import peft  # noqa: F401
    import pydantic_settings  # noqa: F401
    import sqlalchemy.ext.asyncio  # noqa: F401
    import torch  # noqa: F401
    import typer  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: F401

    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process that has threads must not fork"
    gc.freeze()  # a collection in what is forked would touch, and so copy, every page of the libraries
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    listening.listen()
    watched = selectors.DefaultSelector()
    watched.register(listening, selectors.EVENT_READ)
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        for key, _ in watched.select():
            if key.fileobj is not listening:
                pid, connection = running.pop(key.fd)
                _, status = os.waitpid(pid, 0)
                watched.unregister(key.fd)
                os.close(key.fd)
                _told(connection, os.waitstatus_to_exitcode(status))
                connection.close()
                continue
            connection, _ = listening.accept()
            command, descriptors = _received(connection)
            if (pid := os.fork()) == 0:
                watched.close()
                for each in (listening, connection, *(other for _, other in running.values())):
                    each.close()
                for handle in running:
                    os.close(handle)
                return {**command, "descriptors": descriptors}
            for each in descriptors:
                os.close(each)
            _told(connection, pid)
            handle = os.pidfd_open(pid)
            running[handle] = pid, connection
            watched.register(handle, selectors.EVENT_READ)


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    file = connection.makefile("rb", buffering=0)

    def exactly(size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            parts += file.read(size - len(parts))
        return bytes(parts)

    command = json.loads(exactly(int.from_bytes(exactly(8))))
    _, descriptors, _, _ = socket.recv_fds(connection, 1, _DESCRIPTORS)
    file.close()
    return command, descriptors


def _told(connection: socket.socket, number: int) -> None:
    try:
        connection.sendall(str(number).ljust(_ANSWER).encode())
    except BrokenPipeError:
        return  # nobody waits for it any more


def _become(command: dict[str, Any]) -> str:
    """Makes this process what `python -c` would have made of it; returns the code."""
    os.setsid()
    for number, descriptor in enumerate(command["descriptors"]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(command["environment"])
    os.environ.pop("PYTHONUNBUFFERED", None)
    os.environ.pop(COVERAGE, None)  # the coverage of this process is measured, not that of what it starts
    os.chdir(command["folder"])
    sys.argv = ["-c", *command["arguments"]]
    return command["code"]


def _run(code: str) -> NoReturn:
    """Runs code and ends the process as the interpreter does, but does not take the libraries' modules apart."""
    status = 0
    try:
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started this with SIGINT ignored
    _run(_become(_serve(sys.argv[1])))
