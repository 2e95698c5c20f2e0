"""The parent of a training: starts the child, listens to it, stops it in time, and says what happened.

A training must be stoppable at any moment and must not take its parent along when it runs out of memory, so it has a
process of its own. Whatever ends the parent ends the child: an exception here kills it, and should the parent be
killed itself, the child sees its stdin close.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import tuner
from tuner.errors import InputError, StageError
from tuner.progress import Event, emit
from tuner.training import devices, exits
from tuner.training.job import METRICS, Job
from tuner.training.metrics import Trained

LOG = "train.log"


class TrainingError(StageError):
    """A training did not end well.

    Attributes:
        retryable: Whether the same job can succeed at the next attempt, which resumes from the last checkpoint.
    """

    retryable = False


class TrainingKilledError(TrainingError):
    """The child was killed from outside, by a person or by the kernel when memory ran short."""

    retryable = True


class TrainingMemoryError(TrainingError):
    """The child asked for more memory than there is; it would again."""


class TrainingTimeoutError(TrainingError):
    """The training took longer than it may. Tried again by itself, it would get a multiple of what a person allowed."""


class TrainingDivergedError(TrainingError):
    """The loss is lost; the same settings lose it again."""


class TrainingFailedError(TrainingError):
    """The child failed in a way nobody foresaw."""

    retryable = True


def train(job: Job, timeout: float) -> Trained:
    """Trains an adapter in a process of its own.

    Args:
        job: What to train. Its output folder gets the results, its checkpoints folder the log `train.log`.
        timeout: Seconds that this attempt may take.

    Raises:
        InputError: If the recipe asks for what cannot be.
        TrainingError: If the training did not end well; its `retryable` tells whether another attempt makes sense.
    """
    job.checkpoints.mkdir(parents=True, exist_ok=True)
    job.output.mkdir(parents=True, exist_ok=True)
    path = job.checkpoints / "job.json"
    job.write(path)
    log = job.checkpoints / LOG
    with log.open("w") as stderr, devices.one() as gpu:
        # -P and an explicit path: the working directory's files must not stand in for modules.
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "tuner.training.worker", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=_environment(gpu),
            start_new_session=True,
        )
        try:
            error = _listen(child, job, timeout)
        finally:
            _end(child)
    if child.returncode == exits.DONE:
        return Trained.model_validate_json((job.output / METRICS).read_text())
    raise _explained(child.returncode, error, job, log)


def _environment(gpu: str) -> dict[str, str]:
    root = str(Path(tuner.__file__).parent.parent)
    inherited = os.environ.get("PYTHONPATH")
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([root, inherited]) if inherited else root
    # glibc gives every larger tensor back to the kernel and faults its pages in anew at the next operation; on a CPU
    # that costs more than the arithmetic. 32 MiB is the largest threshold it takes.
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 * 1024**2))
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(4 * 1024**3))
    environment["TOKENIZERS_PARALLELISM"] = "false"
    # One adapter, one GPU; with several in sight the trainer would spread a batch over all of them.
    environment["CUDA_VISIBLE_DEVICES"] = gpu
    return environment


def _listen(child: "subprocess.Popen[str]", job: Job, timeout: float) -> str:
    """Passes progress on until the child closes its stdout.

    Returns:
        The child's own words on why it failed, or an empty string.
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
                "its checkpoints stay, and the same command goes on from them"
            )
        try:
            # Short waits: a cancellation can reach this thread only between them.
            message = lines.get(timeout=0.2)
        except queue.Empty:
            continue
        if message is None:
            return error
        said = json.loads(message)
        error = said.get("error", error)
        if "resumes" in said:
            note = f"resumes from step {said['resumes']} of {said['total']}"
            emit(Event("train", job.adapter, done=said["resumes"], total=said["total"], note=note))
        if "step" in said:
            figures = {"loss": said["loss"], "tokens/s": said["tokens_per_second"]}
            emit(Event("train", job.adapter, done=said["step"], total=said["total"], figures=figures))


def _pump(stdout: IO[str], lines: "queue.Queue[str | None]") -> None:
    for message in stdout:
        # A child that is killed can leave half a line.
        if message.endswith("\n"):
            lines.put(message)
    lines.put(None)


def _end(child: "subprocess.Popen[str]") -> None:
    """Waits for a child that has closed its stdout; kills one that has not, or that lingers."""
    finished = child.stdout is not None and sys.exc_info()[0] is None
    if finished:
        try:
            child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
    else:
        child.kill()
    child.wait()
    if child.stdin is not None:
        child.stdin.close()


def _explained(code: int, error: str, job: Job, log: Path) -> Exception:
    who = f"training.{job.adapter}"
    if code < 0:
        name = signal.Signals(-code).name
        hint = "; the kernel does this when memory runs out" if -code == signal.SIGKILL else ""
        return TrainingKilledError(f"{who} was killed by {name}{hint}; the next attempt resumes (log: {log})")
    match code:
        case exits.BAD_INPUT:
            return InputError(error)
        case exits.OUT_OF_MEMORY:
            return TrainingMemoryError(f"{who} ran out of memory: lower batch_size or max_length (log: {log}): {error}")
        case exits.STAGE:
            return TrainingDivergedError(f"{who}: {error}")
        case _:
            return TrainingFailedError(f"{who} failed: {error or _last_line(log)} (log: {log})")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"
