"""The parent process of a training: starts the child, reports its progress, enforces the timeout, raises its errors.

A training must be stoppable at any moment, and running out of memory must not end its parent, so it has its own
process. The child always ends with its parent: an exception here kills it, and if the parent itself is killed, the
child sees its stdin close.
"""

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tuner.errors import InputError, StageError
from tuner.progress import Event, emit
from tuner.training import children, devices, exits
from tuner.training.children import Child
from tuner.training.job import METRICS, Job
from tuner.training.metrics import Trained

LOG = "train.log"


class TrainingError(StageError):
    """A training failed.

    Attributes:
        retryable: Whether a retry, which resumes from the last checkpoint, may succeed.
    """

    retryable = False


class TrainingKilledError(TrainingError):
    """The child was killed by a signal, from a user or from the kernel when memory ran out."""

    retryable = True


class TrainingMemoryError(TrainingError):
    """The child ran out of memory; a retry would too."""


class TrainingTimeoutError(TrainingError):
    """The training exceeded its timeout. A retry would multiply the time that the user allowed."""


class TrainingDivergedError(TrainingError):
    """The loss is not finite; a retry with the same settings would end the same."""


class TrainingFailedError(TrainingError):
    """The child failed with an unexpected error."""

    retryable = True


def train(job: Job, timeout: float) -> Trained:
    """Trains an adapter in a child process.

    Args:
        job: The job. Results go to its output folder, the log `train.log` to its checkpoints folder.
        timeout: The maximum duration of this attempt, in seconds.

    Raises:
        InputError: If the recipe cannot be trained as it is.
        TrainingError: If the training failed; `retryable` says whether a retry may succeed.
    """
    job.checkpoints.mkdir(parents=True, exist_ok=True)
    job.output.mkdir(parents=True, exist_ok=True)
    path = job.checkpoints / "job.json"
    job.write(path)
    job.rendezvous.unlink(missing_ok=True)
    log = job.checkpoints / LOG
    # The GPUs that it is to use alone; if others were visible the trainer would spread a batch over all of them.
    with log.open("w") as stderr, devices.reserve(job.processes) as gpus:
        started: list[Child] = []
        codes: list[int] = []
        waits = False
        try:
            for environment in devices.environments(gpus, job.processes):
                started.append(children.start(path, job.settings.needs_bitsandbytes, environment, stderr))
            error, peer = _read_messages(started[0], started[1:], job, timeout)
            waits = peer == exits.DONE
        finally:
            for child in started:
                codes.append(_end(child, waits))
                waits = waits and codes[-1] == exits.DONE  # the others would wait for one that failed
    code = peer or codes[0]
    if code == exits.DONE:
        return Trained.model_validate_json((job.output / METRICS).read_text())
    raise _error(code, error, job, log)


def _read_messages(child: Child, peers: Sequence[Child], job: Job, timeout: float) -> tuple[str, int]:
    """Reports the child's progress until it closes its stdout, or another process of the training fails.

    Returns:
        The error message of the one that failed, or an empty string; and the exit code of a peer that failed, or 0.
    """
    assert child.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pump, args=(child.stdout, lines), name=f"train-{job.adapter}", daemon=True).start()
    deadline = time.monotonic() + timeout
    error = ""
    while True:
        if time.monotonic() > deadline:
            raise TrainingTimeoutError(
                f"training.{job.adapter} took longer than {timeout:,.0f} s (TUNER_TRAIN_TIMEOUT) and was stopped; "
                "its checkpoints are kept; the same command resumes from them"
            )
        try:
            # Short timeouts: a cancellation reaches this thread only between them.
            line = lines.get(timeout=0.2)
        except queue.Empty:
            if failure := _failure(peers):
                return failure
            continue
        if line is None:
            return _failure(peers) or (error, exits.DONE)
        message = json.loads(line)
        error = message.get("error", error)
        if "resumes" in message:
            note = f"resumes from step {message['resumes']} of {message['total']}"
            emit(Event(job.stage, job.adapter, done=message["resumes"], total=message["total"], note=note))
        if "step" in message:
            figures = {"loss": message["loss"], "tokens/s": message["tokens_per_second"]}
            done, total = message["step"], message["total"]
            emit(Event(job.stage, job.adapter, done=done, total=total, figures=figures, unit="step"))


def _failure(peers: Sequence[Child]) -> tuple[str, int] | None:
    """The last message and the exit code of a process that failed; None if none has.

    What one ends with for want of another is a crash, so that any other end counts first.
    """
    failed: list[tuple[str, int]] = []
    for peer in peers:
        try:
            code = peer.wait(0)
        except subprocess.TimeoutExpired:
            continue
        if code != exits.DONE:
            said = peer.stdout.read().splitlines() if peer.stdout else []
            failed.append((json.loads(said[-1])["error"] if said else "", code))
    return min(failed, key=lambda each: each[1] == exits.CRASHED, default=None)


def _pump(stdout: IO[str], lines: "queue.Queue[str | None]") -> None:
    for line in stdout:
        # A killed child can leave an incomplete line.
        if line.endswith("\n"):
            lines.put(line)
    lines.put(None)


def _end(child: Child, waits: bool) -> int:
    """Ends a child: waits until it exits by itself, or kills it. Returns its exit code."""
    if waits:
        try:
            child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
    else:
        child.kill()
    code = child.wait()
    child.release()
    if child.stdout is not None:
        child.stdout.close()
    return code


def _error(code: int, error: str, job: Job, log: Path) -> Exception:
    name = f"training.{job.adapter}"
    if code < 0:
        signal_name = signal.Signals(-code).name
        hint = "; the kernel does this when memory runs out" if -code == signal.SIGKILL else ""
        return TrainingKilledError(f"{name} was killed by {signal_name}{hint}; the next attempt resumes (log: {log})")
    match code:
        case exits.BAD_INPUT:
            return InputError(error)
        case exits.OUT_OF_MEMORY:
            return TrainingMemoryError(
                f"{name} ran out of memory: lower batch_size or max_length (log: {log}): {error}"
            )
        case exits.DIVERGED:
            return TrainingDivergedError(f"{name}: {error}")
        case exits.STAGE:
            return TrainingError(f"{name}: {error}")
        case _:
            return TrainingFailedError(f"{name} failed: {error or _last_line(log)} (log: {log})")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no output"
