"""A Python that begins with the model libraries imported: `python -m tests.warm SOCKET` forks for each command.

Importing torch, transformers and peft takes longer than the run of a tiny model. `Warm.python` stands in for
`sys.executable`: a program of a few lines that has its command run by a process that was forked off, passes signals on
to it and ends as it does; killed, it takes that process along. `sys.executable` is the same program there, so that a
training or a flow run that a process starts begins in the same way. What is forked off has a session, an environment, a
folder and descriptors of its own. Only libraries are shared that start no thread and read none of our environment when
they are imported, so not polars; of Prefect, which reads its settings when it is imported, what can read them again.
"""

import atexit
import ctypes
import gc
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
inherited = len(os.listdir("/proc/self/fd")) > 4  # besides the first three and the one that lists them
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
    """The process that forks, from the side of those who ask it; several processes may ask the same one.

    Attributes:
        folder: Holds its socket, its log and the program that asks.
    """

    folder: Path

    @property
    def python(self) -> str:
        """What stands in for `sys.executable`: a path.

        It takes `-c`, `-m` and `-P`. Other options begin as always, as does what inherits more than three descriptors.
        """
        return str(self.folder / "python")

    @classmethod
    def serve(cls, processes: Processes) -> "Warm":
        """Starts the process that forks, in the folder where its logs go."""
        warm = cls(processes.folder)
        path = warm.folder / "socket"
        program = Path(warm.python)
        program.write_text(_PYTHON.format(executable=sys.executable, socket=path))
        program.chmod(0o755)
        # Read when the libraries are imported: progress bars, and threads, with which nothing could be forked.
        environment = {"DO_NOT_TRACK": "1", "TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
        environment["PREFECT_HOME"] = str(warm.folder)
        environment |= {COVERAGE: os.environ[COVERAGE]} if COVERAGE in os.environ else {}
        processes.start("warm", [sys.executable, "-m", "tests.warm", str(path)], environment)
        processes.until("warm", path.exists, "the process that forks is there")
        return warm

    def start(self, code: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Starts Python code, as `python -c` does, as the leader of a process group.

        Args:
            code: The program.
            arguments: `sys.argv` behind its first element.
            environment: What differs from this process's.
        """
        return started([self.python, "-c", code, *arguments], environment)


class _Prefect(MetaPathFinder, Loader):
    """Keeps Prefect's modules aside until a program imports it, whose settings it then reads."""

    def __init__(self) -> None:
        names = [name for name in sys.modules if name.split(".")[0] == "prefect"]
        self._modules = {name: sys.modules.pop(name) for name in names}
        assert "prefect.main" not in self._modules, "logging is set up"

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
    """Forks for every command that comes; returns it in the process that was forked, and exits in the other."""
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
    threads = {(each / "comm").read_text().strip() for each in tasks.iterdir() if each.name != str(os.getpid())}
    # The threads of the allocator know how to be forked.
    assert threads <= {"jemalloc_bg_thd"}, f"a process that has threads must not fork: {threads}"
    gc.freeze()  # a collection in what is forked would touch, and so copy, every page of the libraries
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
                    for each in (listening, connection, *(other.connection for other in running.values())):
                        each.close()
                    for handle in running:
                        os.close(handle)
                    return {**command, "descriptors": descriptors}
                for each in descriptors:
                    os.close(each)
                forked = _Forked(pid, os.pidfd_open(pid), connection)
                running[forked.handle] = forked
                watched.register(forked.handle, selectors.EVENT_READ, forked)
                watched.register(connection, selectors.EVENT_READ, forked)
            elif key.fd in running:
                _end(running.pop(key.fd), watched)
            elif key.data.handle in running:
                _signal(key.data, watched)


def _end(forked: _Forked, watched: selectors.BaseSelector) -> None:
    """Tells whoever asked how a process ended."""
    _, status = os.waitpid(forked.pid, 0)
    watched.unregister(forked.handle)
    os.close(forked.handle)
    if forked.connection in watched.get_map():
        watched.unregister(forked.connection)
        with suppress(BrokenPipeError):  # nobody waits for it any more
            forked.connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    forked.connection.close()


def _signal(forked: _Forked, watched: selectors.BaseSelector) -> None:
    """Passes on what whoever asked was sent: signals, or the one that ended it and could not be passed on."""
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
    """Makes this process what the interpreter would have made of it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nothing is left when the process that forks ends
    os.setsid()
    Path("/proc/self/comm").write_text(forked_for(command["process"]))
    for number, descriptor in enumerate(command["descriptors"]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(command["environment"])
    # The coverage of what a test starts is measured, not that of servers, nor of what either starts.
    if os.environ.pop(COVERAGE, None) is None and (measuring := sys.modules.get("coverage")):
        measuring.Coverage.current().stop()
    sys.stdout.reconfigure(write_through="PYTHONUNBUFFERED" in os.environ)
    os.chdir(command["folder"])
    sys.path[:1] = [] if command["safe"] else [command["folder"]]
    sys.path[:0] = os.environ.get("PYTHONPATH", "").split(os.pathsep) if "PYTHONPATH" in os.environ else []
    sys.executable = str(Path(sys.argv[1]).with_name("python"))
    sys.argv = [command["how"], *command["arguments"]]


def _run(how: str, what: str) -> NoReturn:
    """Runs a program and ends the process as the interpreter does, but leaves the libraries' modules whole."""
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
    except BaseException:  # noqa: BLE001 - the interpreter prints whatever a program raises, too
        sys.excepthook(*sys.exc_info())
        status, interrupted = 1, isinstance(sys.exception(), KeyboardInterrupt)
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started this with SIGINT ignored
    wanted = _serve(sys.argv[1])
    _become(wanted)
    _run(wanted["how"], wanted["what"])
