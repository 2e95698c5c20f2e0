"""The engine on servers: what it costs, and whether it keeps servers busy.

Alone it measures against servers that answer after as long as their tokens would take (`benchmarks.metered`): two of
them against one, and CPU and memory of this process for many rows. With the URL of a real server it measures the
throughput against a bare client that keeps a fixed number of requests in flight, at the number that is best.

    python -m benchmarks.completions [ROWS]
    python -m benchmarks.completions URL [REQUESTS [ROUNDS]]
"""

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from tuner import loading
from tuner.generation import seeds
from tuner.generation.engines import Completion, Request
from tuner.generation.engines.completions import CompletionsEngine
from tuner.generation.engines.wire import Form, body
from tuner.generation.shards import DEFAULT, ShardSpec
from tuner.generation.sources import Magpie, Sampling
from tuner.models.chat import Chat
from tuner.models.loading import load_tokenizer
from tuner.settings import Settings, settings

ROWS, SHARD = 200_000, 1_000
SLOTS, RATE = 256, 100.0
"""Of a paced server: requests at once, and tokens a second of each."""

FAST = 1_000_000.0
CONCURRENCIES = (16, 32, 64)
TOKENS = 24
"""Of a request to a real server, cut off there, so that both clients are given the same work."""

REQUESTS, ROUNDS = 128, 3


class Cost(NamedTuple):
    """What rows cost this process: requests, seconds, CPU seconds, and its most memory in bytes."""

    requests: int
    seconds: float
    cpu: float
    memory: int


@contextmanager
def metered(count: int, slots: int, rate: float) -> Iterator[str]:
    """The endpoint of some paced servers, each in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.metered", str(slots), str(rate)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        yield ",".join(f"http://127.0.0.1:{child.stdout.readline().strip()}" for child in children if child.stdout)
    finally:
        for child in children:
            child.kill()
            child.wait()


@contextmanager
def own_journals() -> Iterator[None]:
    """A home without journals, so that nothing is taken from an earlier measurement, but with this machine's models."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        (Path(name) / "models").symlink_to(settings().folder("models"))
        patch.setenv("TUNER_HOME", name)
        settings.cache_clear()
        yield
    settings.cache_clear()


def _engine(endpoint: str) -> CompletionsEngine:
    chosen = Settings(engine="completions", endpoint=endpoint)
    return CompletionsEngine(_model(), chosen)


def _model() -> str:
    return loading.load("quickstart").generator(DEFAULT)


def replicas(requests: int = 4_000) -> dict[str, float]:
    """Requests a second by one and by two servers, after the number in flight has been found, and their ratio."""
    rates = []
    for count in (1, 2):
        with metered(count, SLOTS, RATE) as endpoint, closing(_engine(endpoint)) as engine:
            _drawn(engine, f"first of {count}", requests * count)
            clock = time.perf_counter()
            _drawn(engine, f"second of {count}", requests * count)
            rates.append(requests * count / (time.perf_counter() - clock))
    return {"one": rates[0], "two": rates[1], "ratio": rates[1] / rates[0]}


def _drawn(engine: CompletionsEngine, name: str, count: int, sampling: Sampling | None = None) -> list[Completion]:
    asked = [Request(row, 0, row, f"{name} {row}", sampling or Sampling()) for row in range(count)]
    return [said for _, said in engine.complete(deque(asked), lambda tokens: None)]


def cost(rows: int = ROWS) -> Cost:
    """What rows of two requests each cost, shard after shard, by a server that is faster than any."""
    chat = Chat(load_tokenizer(_model()), _model())
    source = Magpie()
    with metered(1, SLOTS, FAST) as endpoint, closing(_engine(endpoint)) as engine:
        clock, before = time.perf_counter(), time.process_time()
        for number in range(rows // SHARD):
            drawn = source.sample(engine, chat, ShardSpec(0, 1, number, SHARD))
            assert len({row["row_id"] for row in drawn}) == SHARD
        seconds, cpu = time.perf_counter() - clock, time.process_time() - before
    return Cost(2 * SHARD * (rows // SHARD), seconds, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def throughput(url: str, requests: int = REQUESTS, rounds: int = ROUNDS) -> dict[str, float]:
    """Tokens a second of a bare client at its best and of the engine, in alternating rounds; the median ratio."""
    chat = Chat(load_tokenizer(_model()), _model())
    sampling = Sampling(max_tokens=TOKENS)
    with closing(_engine(url)) as engine:
        replica = engine._replicas.all[0]
        form = replica.form or Form()

        def prompts(turn: int) -> list[Request]:
            return [
                Request(row, 0, seeds.row_seed(turn, 0, row), chat.beginning(), sampling) for row in range(requests)
            ]

        def ours(turn: int) -> float:
            clock = time.perf_counter()
            asked = deque(prompts(turn))
            tokens = sum(said.tokens for _, said in engine.complete(asked, lambda tokens: None))
            return tokens / (time.perf_counter() - clock)

        def bare(turn: int, concurrency: int) -> float:
            bodies = [body(request, replica.model, form, "") for request in prompts(turn)]
            clock = time.perf_counter()
            tokens = asyncio.run(_bare(url, bodies, concurrency))
            return tokens / (time.perf_counter() - clock)

        bare(1, CONCURRENCIES[1])  # warm-up of the server
        tried = {each: bare(2 + each, each) for each in CONCURRENCIES}
        best = max(tried, key=lambda each: tried[each])
        ours(100)  # finds the number in flight
        pairs = [(ours(200 + turn), bare(300 + turn, best)) for turn in range(rounds)]
    return {
        "concurrency": best,
        "ours": statistics.median(one for one, _ in pairs),
        "bare": statistics.median(other for _, other in pairs),
        "ratio": statistics.median(one / other for one, other in pairs),
    }


async def _bare(url: str, bodies: list[dict[str, Any]], concurrency: int) -> int:
    """The tokens of all answers, with a fixed number of requests in flight."""
    gate = asyncio.Semaphore(concurrency)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    ) as client:

        async def one(sent: dict[str, Any]) -> int:
            async with gate, client.post(f"{url}/v1/completions", json=sent) as answer:
                return (await answer.json())["usage"]["completion_tokens"]

        return sum(await asyncio.gather(*map(one, bodies)))


def show(rows: int = ROWS) -> None:
    """Prints the figures that need no model on a server, with their goals."""
    with own_journals():
        found, two = cost(rows), replicas()
    each = found.cpu / found.requests
    print(f"{'servers, CPU of a request':40}{1000 * each:8.2f} ms     5 % of a core at {0.05 / each:.0f} requests/s")
    print(f"{f'  most memory in {rows:,} rows':40}{found.memory / 1e6:8.0f} MB     goal: under 1,000 MB")
    print(f"{'  two servers against one':40}{two['ratio']:8.2f}        goal: 1.9 or better")


def main(arguments: list[str]) -> None:
    """Measures what the arguments ask for."""
    if arguments and not arguments[0].isdigit():
        with own_journals():
            found = throughput(arguments[0], *map(int, arguments[1:]))
        for key, value in found.items():
            print(f"{key:24}{value:8.2f}")
    else:
        show(*map(int, arguments))


if __name__ == "__main__":
    main(sys.argv[1:])
