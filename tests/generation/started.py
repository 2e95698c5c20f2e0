"""Starts servers of language models, and trains an adapter of the default model for them to load."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from pydantic import TypeAdapter

from tests.tiny import write_rows
from tuner.models.settings import Models
from tuner.training import process
from tuner.training.job import Job
from tuner.training.methods import Adapter

START_SECONDS = 600.0
"""How long a server may take to start, with a margin for a machine four times slower."""


@contextmanager
def running(command: list[str], port: int, ready: str, **variables: str) -> Iterator[str]:
    """A server in a process group of its own, which may have children."""
    own = {"OMP_NUM_THREADS": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", **variables}
    child = subprocess.Popen(command, env={**os.environ, **own}, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + START_SECONDS
        while not _answers(f"{url}{ready}"):
            assert child.poll() is None, "the server has ended"
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.5)
        yield url
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A port that no server listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def trained(method: str, models: Models, folder: Path) -> Path:
    """The folder of an adapter, as training saves it.

    Args:
        method: The training method, with its own settings.
        models: The models of a recipe.
        folder: An empty folder.
    """
    plain = {"method": method, "batch_size": 4, "max_length": 128}
    job = Job(
        adapter=method,
        settings=TypeAdapter(Adapter).validate_python(plain),
        models=models,
        seed=1,
        data=write_rows(folder / "rows.parquet", 4),
        output=folder / "output",
        checkpoints=folder / "checkpoints",
    )
    job.output.mkdir()
    process.train(job, START_SECONDS)
    return job.output / "adapter"
