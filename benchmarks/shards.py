"""2,000 shards through child flows, against the server of docker-compose.yml: what the orchestration of one costs.

    make bench-shards [SHARDS=2000]

Postgres, Redis, the Prefect server, its background services and SeaweedFS run as processes of this machine, retention
on. Drawing is simulated (a shard is a file of some bytes), so that all that is measured is the way there: planning,
tasks, states, the store.
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
    """Asks the server once a second for what its start page shows, and keeps how long it took."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.seconds: list[float] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Until `ended` is set."""
        while not self.ended.wait(1):
            clock = time.perf_counter()
            call(f"{self.url}/flow_runs/filter", {"limit": 50, "sort": "START_TIME_DESC"}, AUTH)
            self.seconds.append(time.perf_counter() - clock)


def ask(stack: Stack, sql: str) -> str:
    """What Postgres answers to a query."""
    its = stack.config["services"]["postgres"]["environment"]
    reach = ["--host", "127.0.0.1", "--port", str(stack.ports["postgres"]), "--username", its["POSTGRES_USER"]]
    command = [POSTGRES[-1] / "psql", *reach, "--no-align", "--tuples-only", "--command", sql, its["POSTGRES_DB"]]
    environment = {**os.environ, "PGPASSWORD": its["POSTGRES_PASSWORD"]}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def megabytes(stack: Stack) -> float:
    """The size of the database."""
    return int(ask(stack, "select pg_database_size(current_database())")) / 1e6


def measure(shards: int) -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), {})
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
            _forget(stack)
        finally:
            stack.end()


def _settled(stack: Stack) -> float:
    """Waits until the server has written down every task run that it was told of; seconds."""
    clock = last = time.perf_counter()
    known = ""
    while time.perf_counter() - last < 5:
        time.sleep(0.5)
        if (found := ask(stack, "select count(*) from task_run_state")) != known:
            known, last = found, time.perf_counter()
    return last - clock


def _print(turn: str, shards: int, seconds: float, lag: float, grown: float, answers: list[float]) -> None:
    print(f"{shards:,} shards {turn}: {seconds:.0f} s, {1000 * seconds / shards:.0f} ms a shard")
    print(f"  the server had written down all of it {lag:.0f} s later")
    print(f"  the database grew by {grown:.1f} MB, {1000 * grown / shards:.1f} kB a shard")
    tail = statistics.quantiles(answers, n=20)[-1]
    middle, worst = statistics.median(answers), max(answers)
    print(
        f"  the server answered in {1000 * middle:.0f} ms (median), {1000 * tail:.0f} ms (95 %), {worst:.2f} s (worst)"
    )


def _forget(stack: Stack) -> None:
    """Lets the runs be older than the retention period, and waits for the server to forget them."""
    ended = "select count(*) from flow_run where end_time is not null"
    counts = f"select ({ended}) || ' flow runs, ' || (select count(*) from task_run) || ' task runs'"
    print(f"retention: {ask(stack, counts)}; aged by 91 days", flush=True)
    ask(stack, "update flow_run set end_time = end_time - interval '91 days'")
    clock = time.perf_counter()
    until(lambda: ask(stack, ended) == "0", "the server forgets", 900)
    left = ask(stack, counts)
    print(f"  forgotten within {time.perf_counter() - clock:.0f} s (looked for each {VACUUM_SECONDS} s); left: {left}")


def draw(shards: int) -> None:
    """Runs the pipeline until `generate`, with shards that cost nothing."""
    import pyarrow as pa

    from deployments.environment import environment
    from tuner import loading
    from tuner.artifacts import parquet
    from tuner.stage import Stage

    environment()

    def simulated(stage: Any, recipe: Any, part: Any, store: Any) -> Any:
        def write(folder: Path) -> dict[str, Any]:
            parquet.write(pa.table({"label": [part.label]}), folder / "rows.parquet")
            return hollow(stage.metrics, rows=1).model_dump(mode="json")

        return store.build(part, write)

    Stage.make = simulated
    from flows.pipeline import pipeline

    recipe = loading.load("quickstart", [f"generation.rows={shards * 24}"])
    pipeline(recipe_yaml=loading.text(recipe), until_stage="generate")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["draw", count]:
            draw(int(count))
        case [count]:
            measure(int(count))
