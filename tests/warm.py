"""A Python with the model libraries already imported: `python -m tests.warm SOCKET` is a server that forks per command.

Importing torch, transformers and peft takes longer than the run of a tiny model. `Warm.python` replaces
`sys.executable`: a short program that has its command run by a process forked from the server, forwards signals to it
and exits with its status; if the program is killed, so is that process. `sys.executable` is the same program in the
forked process, so a training or a flow run that it starts is forked too. A forked process has its own session,
environment, folder and descriptors. Only libraries are preimported that start no thread and read none of our
environment on import, so not polars; of Prefect, which reads its settings on import, the part that can read them again.
"""

import atexit
import ctypes
import gc
import io
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from tests.deployments.processes import COVERAGE, Processes, forked_for, started

_DESCRIPTORS = 3

_PYTHON = """\
#!{executable} -IS
import json, os, signal, socket, sys

options = sys.argv[1:]
safe = options[:1] == ["-P"]
how, what, *arguments = [*options[safe:], "", ""]
inherited = len(os.listdir("/proc/self/fd")) > 4  # more than the first three and the one of this listing
if how not in ("-c", "-m") or inherited:
    os.execv("{executable}", ["{executable}", *options])
command = {{
    "how": how,
    "what": what,
    "arguments": arguments[:-2],
    "safe": safe,
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "process": os.getpid(),
}}
connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
connection.connect("{socket}")
message = json.dumps(command).encode()
connection.sendall(len(message).to_bytes(8))
connection.sendall(message)
socket.send_fds(connection, [b"f"], [0, 1, 2])
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, lambda number, frame: connection.send(bytes([number])))
status = int(connection.recv(16) or -signal.SIGKILL)
if status < 0:
    signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
    os.kill(os.getpid(), -status)
os._exit(status)
"""


@dataclass(frozen=True)
class Warm:
    """A client of the server that forks; several processes may use the same server.

    Attributes:
        folder: Contains the server's socket and log, and the client program.
    """

    folder: Path

    @property
    def python(self) -> str:
        """The path of the replacement for `sys.executable`.

        It forks for `-c`, `-m` and `-P`; with other options or further inherited descriptors, it starts Python.
        """
        return str(self.folder / "python")

    @classmethod
    def serve(cls, processes: Processes) -> "Warm":
        """Starts the server that forks, in the folder of its logs."""
        warm = cls(processes.folder)
        path = warm.folder / "socket"
        program = Path(warm.python)
        program.write_text(_PYTHON.format(executable=sys.executable, socket=path))
        program.chmod(0o755)
        # Read by the libraries on import: no progress bars, and no threads, since a process with threads must not fork.
        environment = {"DO_NOT_TRACK": "1", "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
        environment["PREFECT_HOME"] = str(warm.folder)
        environment |= {COVERAGE: os.environ[COVERAGE]} if COVERAGE in os.environ else {}
        processes.start("warm", [sys.executable, "-m", "tests.warm", str(path)], environment)
        processes.until("warm", path.exists, "the server that forks has started")
        return warm

    def start(self, code: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Starts Python code, as `python -c` does, as the leader of a process group.

        Args:
            code: The program.
            arguments: `sys.argv` after its first element.
            environment: What differs from this process's.
        """
        return started([self.python, "-c", code, *arguments], environment)


class _Prefect(MetaPathFinder, Loader):
    """Hides Prefect's modules until a program imports Prefect, then makes Prefect read that program's settings."""

    def __init__(self) -> None:
        names = [name for name in sys.modules if name.split(".")[0] == "prefect"]
        self._modules = {name: sys.modules.pop(name) for name in names}
        assert "prefect.main" not in self._modules, "Prefect's logging must not be set up before the fork"

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname == "prefect" else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        sys.meta_path.remove(self)
        self._spec = self._modules["prefect"].__spec__
        return self._modules["prefect"]

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec
        sys.modules.update(self._modules)
        sys.modules["prefect.context"].refresh_global_settings_context()


@dataclass(frozen=True)
class _Forked:
    pid: int
    handle: int
    connection: socket.socket


def _serve(path: str) -> dict[str, Any]:
    """Forks for every command; returns the command in the forked process, and never returns in the server."""
    import fastapi  # noqa: F401
    import httpx  # noqa: F401
    import peft  # noqa: F401
    import prefect.flows  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import sqlalchemy.ext.asyncio  # noqa: F401
    import torch  # noqa: F401
    import trl.trainer.sft_trainer  # noqa: F401
    import typer  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: F401

    sys.meta_path.insert(0, _Prefect())
    tasks = Path("/proc/self/task")
    threads = {(task / "comm").read_text().strip() for task in tasks.iterdir() if task.name != str(os.getpid())}
    # The allocator's threads survive a fork.
    assert threads <= {"jemalloc_bg_thd"}, f"a process that has threads must not fork: {threads}"
    gc.freeze()  # a collection in a forked process would copy every page of the libraries
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(path)
    listening.listen()
    watched = selectors.DefaultSelector()
    watched.register(listening, selectors.EVENT_READ)
    running: dict[int, _Forked] = {}
    while True:
        for key, _ in watched.select():
            if key.fileobj is listening:
                connection, _ = listening.accept()
                command, descriptors = _received(connection)
                if (pid := os.fork()) == 0:
                    watched.close()
                    for open_socket in (listening, connection, *(other.connection for other in running.values())):
                        open_socket.close()
                    for handle in running:
                        os.close(handle)
                    return {**command, "descriptors": descriptors}
                for descriptor in descriptors:
                    os.close(descriptor)
                forked = _Forked(pid, os.pidfd_open(pid), connection)
                running[forked.handle] = forked
                watched.register(forked.handle, selectors.EVENT_READ, forked)
                watched.register(connection, selectors.EVENT_READ, forked)
            elif key.fd in running:
                _end(running.pop(key.fd), watched)
            elif key.data.handle in running:
                _signal(key.data, watched)


def _end(forked: _Forked, watched: selectors.BaseSelector) -> None:
    """Sends the exit status of a process to its client."""
    _, status = os.waitpid(forked.pid, 0)
    watched.unregister(forked.handle)
    os.close(forked.handle)
    if forked.connection in watched.get_map():
        watched.unregister(forked.connection)
        with suppress(BrokenPipeError):  # its client has ended
            forked.connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    forked.connection.close()


def _signal(forked: _Forked, watched: selectors.BaseSelector) -> None:
    """Forwards signals that the client received; SIGKILL if the client was killed."""
    try:
        numbers = forked.connection.recv(16)
    except ConnectionResetError:
        numbers = b""
    if not numbers:
        watched.unregister(forked.connection)
    for number in numbers or [signal.SIGKILL]:
        signal.pidfd_send_signal(forked.handle, number)


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


def _become(command: dict[str, Any]) -> None:
    """Sets this process up as the interpreter would have."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end with the server that forks
    os.setsid()
    Path("/proc/self/comm").write_text(forked_for(command["process"]))
    for number, descriptor in enumerate(command["descriptors"]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(command["environment"])
    # Coverage is measured in processes that a test starts, but not in servers, nor in children of either.
    if os.environ.pop(COVERAGE, None) is None and (measuring := sys.modules.get("coverage")):
        measuring.Coverage.current().stop()
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(write_through="PYTHONUNBUFFERED" in os.environ)
    os.chdir(command["folder"])
    sys.path[:1] = [] if command["safe"] else [command["folder"]]
    sys.path[:0] = os.environ.get("PYTHONPATH", "").split(os.pathsep) if "PYTHONPATH" in os.environ else []
    sys.executable = str(Path(sys.argv[1]).with_name("python"))
    sys.argv = [command["how"], *command["arguments"]]


def _run(how: str, what: str) -> NoReturn:
    """Runs a program and ends the process as the interpreter does, but without tearing down the modules."""
    status = interrupted = 0
    try:
        if how == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException as error:  # noqa: BLE001 - printed as the interpreter would
        sys.excepthook(type(error), error, error.__traceback__)
        status, interrupted = 1, isinstance(error, KeyboardInterrupt)
    threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have set SIGINT to be ignored
    received = _serve(sys.argv[1])
    _become(received)
    _run(received["how"], received["what"])
