"""Orchestration overhead per shard: 2,000 shards through child flows, with the server of docker-compose.yml.

    make bench-shards [SHARDS=2000]

Postgres, Redis, the Prefect server, its background services and SeaweedFS run as processes of this machine, with
retention on. Generation is simulated (a shard is a file of a few bytes), so only planning, tasks, states and the
store are measured.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.deployments.composed import PASSWORDS
from tests.deployments.processes import until
from tests.e2e.compose.stack import POSTGRES, Stack
from tests.hollow import hollow
from tests.rest import call

AUTH = PASSWORDS["PREFECT_AUTH"]
VACUUM_SECONDS = 20


class Probe(threading.Thread):
    """Requests the data of the server's start page once a second, and records the response times."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.seconds: list[float] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Runs until `ended` is set."""
        while not self.ended.wait(1):
            clock = time.perf_counter()
            call(f"{self.url}/flow_runs/filter", {"limit": 50, "sort": "START_TIME_DESC"}, AUTH)
            self.seconds.append(time.perf_counter() - clock)


def query(stack: Stack, sql: str) -> str:
    """The output of a query on Postgres."""
    env = stack.config["services"]["postgres"]["environment"]
    options = ["--host", "127.0.0.1", "--port", str(stack.ports["postgres"]), "--username", env["POSTGRES_USER"]]
    command = [POSTGRES[-1] / "psql", *options, "--no-align", "--tuples-only", "--command", sql, env["POSTGRES_DB"]]
    variables = {**os.environ, "PGPASSWORD": env["POSTGRES_PASSWORD"]}
    return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout.strip()


def megabytes(stack: Stack) -> float:
    """The size of the database."""
    return int(query(stack, "select pg_database_size(current_database())")) / 1e6


def measure(shards: int) -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), {}, sys.executable)
        try:
            stack.start(PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS=str(VACUUM_SECONDS))
            before = megabytes(stack)
            for turn in ("made", "cached"):
                probe = Probe(stack.url)
                probe.start()
                clock = time.perf_counter()
                command = [sys.executable, "-m", "benchmarks.shards", "draw", str(shards)]
                try:
                    subprocess.run(command, env={**os.environ, **stack.environment("cpu-worker")}, check=True)
                finally:
                    probe.ended.set()
                seconds = time.perf_counter() - clock
                lag = _settled(stack)
                after = megabytes(stack)
                _print(turn, shards, seconds, lag, after - before, probe.seconds)
                before = after
            _check_retention(stack)
        finally:
            stack.end()


def _settled(stack: Stack) -> float:
    """Waits until the server has saved all task run states; returns the seconds."""
    clock = last = time.perf_counter()
    known = ""
    while time.perf_counter() - last < 5:
        time.sleep(0.5)
        if (count := query(stack, "select count(*) from task_run_state")) != known:
            known, last = count, time.perf_counter()
    return last - clock


def _print(turn: str, shards: int, seconds: float, lag: float, grown: float, answers: list[float]) -> None:
    print(f"{shards:,} shards {turn}: {seconds:.0f} s, {1000 * seconds / shards:.0f} ms a shard")
    print(f"  the server had saved all states {lag:.0f} s later")
    print(f"  the database grew by {grown:.1f} MB, {1000 * grown / shards:.1f} kB a shard")
    tail = statistics.quantiles(answers, n=20)[-1]
    middle, worst = statistics.median(answers), max(answers)
    print(
        f"  the server answered in {1000 * middle:.0f} ms (median), {1000 * tail:.0f} ms (95 %), {worst:.2f} s (worst)"
    )


def _check_retention(stack: Stack) -> None:
    """Makes the runs older than the retention period, and waits until the server has deleted them."""
    ended = "select count(*) from flow_run where end_time is not null"
    counts = f"select ({ended}) || ' flow runs, ' || (select count(*) from task_run) || ' task runs'"
    print(f"retention: {query(stack, counts)}; aged by 91 days", flush=True)
    query(stack, "update flow_run set end_time = end_time - interval '91 days'")
    clock = time.perf_counter()
    until(lambda: query(stack, ended) == "0", "the server deletes old runs", 900)
    left = query(stack, counts)
    print(f"  deleted within {time.perf_counter() - clock:.0f} s (checked every {VACUUM_SECONDS} s); left: {left}")


def draw(shards: int) -> None:
    """Runs the pipeline until `generate`, with simulated shards."""
    import pyarrow as pa

    from deployments.environment import environment
    from tuner import loading
    from tuner.artifacts import parquet
    from tuner.stage import Stage

    environment()

    def simulated(self: Stage, recipe: Any, part: Any, store: Any) -> Any:
        def write(folder: Path) -> dict[str, Any]:
            parquet.write(pa.table({"label": [part.label]}), folder / "rows.parquet")
            return hollow(self.metrics, rows=1).model_dump(mode="json")

        return store.build(part, write)

    Stage.make = simulated
    from flows.pipeline import pipeline

    recipe = loading.load("quickstart", [f"generation.rows={shards * 24}", "generation.shard_rows=24"])
    pipeline(recipe_yaml=loading.text(recipe), until_stage="generate")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["draw", count]:
            draw(int(count))
        case [count]:
            measure(int(count))
