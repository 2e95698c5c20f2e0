"""A server that forks training processes: `python -m tuner.training.forking`, a child of the process that trains.

Importing torch, transformers, PEFT and TRL takes several times longer than loading a small student. The server imports
them once; every training is a process of its own all the same, forked from it, which can be killed and can run out of
memory alone. The server ends with its parent, or when nothing was to be trained for a while.

Its standard input is a socket. A message is one line of JSON, with four descriptors: standard input, output and error
of the training, and a pipe. To that pipe the server writes the training's process id, and its exit code when it ends.
"""

import gc
import json
import os
import selectors
import socket
import sys
import threading
from contextlib import suppress
from typing import Any

IDLE_SECONDS = 120
"""The server ends when it had nothing to do for so long, since it holds half a gigabyte."""

_DESCRIPTORS = 4
_MESSAGE_BYTES = 1 << 20


def main() -> None:
    """Imports what trainings need, and forks one for every message."""
    from tuner import interpreter

    interpreter.relax_garbage_collection()
    interpreter.leave_out_hints()
    if "--without-bitsandbytes" in sys.argv:
        interpreter.leave_out_bitsandbytes()
    control = socket.socket(fileno=os.dup(0))
    problem = _import()
    try:
        control.sendall(f"{problem}\n".encode())
    except BrokenPipeError:  # its parent has ended
        return
    if problem:
        return
    gc.freeze()  # a collection in a forked process would copy every page of the libraries
    job = _serve(control)
    if job is not None:
        from tuner.training import worker

        worker.main(job)


def _import() -> str:
    """Imports the libraries; returns why this process must not fork, if so."""
    # Asking CUDA itself how many GPUs there are would keep a forked process from using one.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    import torch
    from peft import get_peft_model  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: F401

    import tuner.training.trainer
    import tuner.training.worker  # noqa: F401

    if torch.cuda.is_initialized():
        return "CUDA is in use"
    if threading.active_count() > 1:
        return f"it has threads: {', '.join(thread.name for thread in threading.enumerate())}"
    return ""


def _serve(control: socket.socket) -> str | None:
    """Forks for every message. In the forked process, returns the path of the job; in the server, None at its end."""
    statuses: dict[int, tuple[int, int]] = {}  # by the handle of a process: its id, and the pipe for its exit code
    with selectors.DefaultSelector() as watched:
        watched.register(control, selectors.EVENT_READ)
        while True:
            ready = watched.select(IDLE_SECONDS)
            if not ready and not statuses:
                return None
            for key, _ in ready:
                if key.fd in statuses:
                    watched.unregister(key.fd)
                    _report(key.fd, *statuses.pop(key.fd))
                    continue
                data, descriptors, _, _ = socket.recv_fds(control, _MESSAGE_BYTES, _DESCRIPTORS)
                if not data:
                    return None
                message = json.loads(data)
                if (pid := os.fork()) == 0:
                    control.close()
                    for handle, (_, pipe) in statuses.items():
                        os.close(handle)
                        os.close(pipe)
                    _become(message, descriptors)
                    return message["job"]
                for descriptor in descriptors[:3]:
                    os.close(descriptor)
                os.write(descriptors[3], f"{pid}\n".encode())
                handle = os.pidfd_open(pid)
                statuses[handle] = pid, descriptors[3]
                watched.register(handle, selectors.EVENT_READ)


def _report(handle: int, pid: int, pipe: int) -> None:
    """Writes the exit code of a process that has ended; negative for a signal."""
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):  # its parent no longer waits
        os.write(pipe, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os.close(pipe)
    os.close(handle)


def _become(message: dict[str, Any], descriptors: list[int]) -> None:
    """Sets up a forked process as one that was started."""
    os.setsid()
    os.close(descriptors.pop())
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(message["environment"])
    from tuner.settings import settings

    settings.cache_clear()


if __name__ == "__main__":
    main()
