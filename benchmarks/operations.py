"""Overhead of the orchestration: work of known duration is run through flows, deployments and workers.

Every stage sleeps (`benchmarks/paced`), so the rest of a run's time is the overhead of Prefect, its server and the code
around them. Servers and workers are those of `tuner up`.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from tests.deployments.processes import Processes
from tests.e2e.up.conftest import start_up
from tests.rest import call, trigger, wait

ROOT = Path(__file__).parents[1]
ROUNDS = 3
SHARDS = 8
TASKS = 2 * SHARDS + 7
"""Tasks of a pipeline: generate and examine per shard, match, curate, split, two adapters, evaluate, report; 600 s of
work are then 26 s per task."""

PIPELINE_SECONDS = 600.0
TRAINING_SECONDS = 60.0

LOCAL = """
from cli import launch
from tuner import loading, planning
from tuner.artifacts.store import Store
from tuner.settings import settings
text = loading.read("quickstart")
recipe = loading.parse(text, {overrides}, "quickstart")
plan = planning.plan(recipe, Store(settings().store))
launch.run(launch.RunRequest(text, tuple({overrides}), None, "generate", "report"), recipe, plan)
"""
"""`tuner run` without its terminal output, which would need real metrics."""

_seeds = count(1)


class Place:
    """A separate home and store for processes with paced work.

    Args:
        folder: A folder to create.
        variables: Additional environment variables.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.pace_file = folder / "pace.json"
        self.pace()
        self.environment = {
            "TUNER_HOME": str(folder / "home"),
            "TUNER_STORE": str(folder / "store"),
            "PREFECT_HOME": str(folder / "home" / "prefect"),
            "PACED": str(self.pace_file),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "benchmarks" / "paced"), str(ROOT)]),
            **variables,
        }

    def pace(self, other: float = 0.0, **seconds: float) -> None:
        """Sets the duration of the stages in seconds."""
        self.pace_file.write_text(json.dumps({"other": other, **seconds}))

    @contextmanager
    def up(self) -> Iterator[str]:
        """Runs `tuner up` with a warmed-up worker; yields its API's URL."""
        processes = Processes(self.folder)
        process, url = start_up(processes, sys.executable, None, **self.environment)
        try:
            _run_deployed(url, fresh(), until_stage="generate")
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(120)
            processes.end()


def measure() -> dict[str, float]:
    """The figures: shares of a pipeline of `PIPELINE_SECONDS`, seconds, and a ratio."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder, "alone"))
        figures["first"] = _local_overhead(place)
        figures["alone"] = _median(lambda: _local_overhead(place))
        place = Place(Path(folder, "local"))
        with place.up() as url:
            figures["local"] = _median(lambda: _local_overhead(place))
            rounds = [_trigger_and_cached(url) for _ in range(ROUNDS)]
            figures["trigger"] = statistics.median(first for first, _ in rounds)
            figures["cached"] = statistics.median(whole for _, whole in rounds)
        place = Place(Path(folder, "pools"), TUNER_PLACEMENT="pools", TUNER_GPU_SLOTS="2")
        with place.up() as url:
            figures["pools"] = _median(lambda: _overhead(place, lambda overrides: _run_deployed(url, overrides)))
            one = _median(lambda: _training(place, url))
            with _another_worker(place, url):
                figures["adapters"] = one / _median(lambda: _training(place, url))
    return figures


def share(overhead: float) -> float:
    """The overhead's share of a pipeline of `PIPELINE_SECONDS`, in percent."""
    return 100 * overhead / (overhead + PIPELINE_SECONDS)


def fresh() -> list[str]:
    """Overrides that make a recipe without cached artifacts."""
    return [f"generation.rows={SHARDS * 24}", "generation.shard_rows=24", f"seed={next(_seeds)}"]


def _median(measured: Callable[[], float]) -> float:
    return statistics.median(measured() for _ in range(ROUNDS))


def _local_overhead(place: Place) -> float:
    """Overhead in seconds of a local run, including the start of its process."""

    def run(overrides: list[str]) -> None:
        command = [sys.executable, "-c", LOCAL.format(overrides=overrides)]
        subprocess.run(command, env={**os.environ, **place.environment}, check=True)

    return _overhead(place, run)


def _overhead(place: Place, run: Callable[[list[str]], Any]) -> float:
    """Overhead in seconds of a pipeline whose tasks take one second each."""
    place.pace(1.0)
    clock = time.perf_counter()
    run(fresh())
    place.pace()
    return time.perf_counter() - clock - TASKS


def _run_deployed(url: str, overrides: list[str], **parameters: Any) -> dict[str, Any]:
    """Triggers the pipeline as the UI does and waits for its end; returns the flow run."""
    run = wait(url, trigger(url, "pipeline", {"overrides": overrides, **parameters}), 600)
    if run["state_type"] != "COMPLETED":
        raise RuntimeError(run["state"]["message"])
    return run


def _trigger_and_cached(url: str) -> tuple[float, float]:
    """Seconds from the trigger to the start of the first task, and those of a second run in which all is cached."""
    overrides = fresh()
    clock = datetime.now(UTC)
    tasks = _tasks(url, _run_deployed(url, overrides)["id"], TASKS)
    first = min(_moment(task["start_time"]) for task in tasks)
    again = datetime.now(UTC)
    end = _moment(_run_deployed(url, overrides)["end_time"])
    return (first - clock).total_seconds(), (end - again).total_seconds()


def _training(place: Place, url: str) -> float:
    """Seconds that workers take to train both adapters, from sending the first until both are complete."""
    place.pace(train=TRAINING_SECONDS)
    tasks = _tasks(url, _run_deployed(url, fresh(), until_stage="train")["id"])
    sent = [task for task in tasks if task["name"].startswith("train")]
    place.pace()
    begun = min(_moment(task["start_time"]) for task in sent)
    return (max(_moment(task["end_time"]) for task in sent) - begun).total_seconds()


@contextmanager
def _another_worker(place: Place, url: str) -> Iterator[None]:
    """A second worker of the pool `gpu`, beside the one of `tuner up`."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "gpu", "--type", "process", "--limit", "1"]
    processes = Processes(place.folder)
    processes.start(
        "second-worker", command, {**place.environment, "PREFECT_API_URL": url, "PREFECT_WORKER_QUERY_SECONDS": "2"}
    )
    try:
        yield
    finally:
        processes.end()


def _tasks(url: str, flow_run: str, number: int = 1) -> list[dict[str, Any]]:
    """The task runs of an ended flow run, at least `number`; waits, since the server gets the last ones later."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        tasks = call(f"{url}/task_runs/filter", {"flow_runs": {"id": {"any_": [flow_run]}}})
        if len(tasks) >= number and all(task["end_time"] for task in tasks):
            return tasks
        time.sleep(0.5)
    raise TimeoutError(flow_run)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:12}{figure:8.2f}", flush=True)
