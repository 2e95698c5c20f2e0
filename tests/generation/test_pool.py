"""Threads share an engine: each gets its own completions, whoever drives, and a failure costs nobody else."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deployments.processes import until
from tuner.generation.engines import Completion, Facts, Request
from tuner.generation.pool import Pool
from tuner.generation.sources import Sampling


class Slots:
    """An engine with so many slots, each of which takes as many steps as the request's row says."""

    def __init__(self, slots: int) -> None:
        self.slots, self.steps, self.busy, self.failing = slots, 0, 0, 0
        self.mixes = True
        self.ended = 0
        self.order: list[tuple[int, int]] = []
        self.all_here = threading.Event()
        self.all_here.set()

    def complete(
        self, requests: deque[Request], on_tokens: Callable[[int], None]
    ) -> Iterator[tuple[Request, Completion]]:
        running: list[list] = []
        while requests or running:
            while requests and len(running) < self.slots:
                request = requests.popleft()
                self.order.append((request.seed, request.row))
                running.append([request, request.row + 1])
            assert self.all_here.wait(60)
            self.steps += 1
            self.busy += len(running)
            if self.steps == self.failing:
                raise RuntimeError("the engine failed")
            on_tokens(len(running))
            for entry in running:
                entry[1] -= 1
            done, running = [e for e in running if not e[1]], [e for e in running if e[1]]
            for request, _ in done:
                yield request, Completion(f"{request.seed}/{request.row}/{request.turn}", request.row + 1, "stop")
        self.ended += 1

    def facts(self) -> Facts:
        return Facts("slots", "none", "none", self.slots, self.mixes)

    def close(self) -> None: ...


def draw(pool: Pool, shard: int, rows: int, told: list[int] | None = None) -> list[str]:
    """Two turns of every row, as Magpie draws them."""
    requests = deque(Request(row, 0, shard, "", Sampling()) for row in range(rows))
    texts = []
    for request, completion in pool.complete(requests, (told if told is not None else []).append):
        texts.append(completion.text)
        if request.turn == 0:
            requests.appendleft(Request(request.row, 1, shard, "", Sampling()))
    return sorted(texts)


def wanted(shard: int, rows: int) -> list[str]:
    return sorted(f"{shard}/{row}/{turn}" for row in range(rows) for turn in (0, 1))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_thread_gets_its_own(threads: int) -> None:
    pool = Pool(Slots(4))
    with ThreadPoolExecutor(threads) as executor:
        found = list(executor.map(lambda shard: draw(pool, shard, 3 + shard), range(2 * threads)))
    assert found == [wanted(shard, 3 + shard) for shard in range(2 * threads)]


def test_shards_that_are_drawn_at_once_leave_fewer_slots_free() -> None:
    apart, together = Slots(8), Slots(8)
    for shard in range(4):
        draw(Pool(apart), shard, 8)
    pool = Pool(together)
    together.all_here.clear()
    with ThreadPoolExecutor(4) as executor:
        drawn = [executor.submit(draw, pool, shard, 8) for shard in range(4)]
        until(lambda: len(pool._owners) == 4 * 8, "all rows are there")
        together.all_here.set()
        assert [future.result() for future in drawn] == [wanted(shard, 8) for shard in range(4)]
    assert together.busy == apart.busy
    assert together.steps < apart.steps


def test_threads_take_turns_where_neighbours_can_change_a_row() -> None:
    engine = Slots(3)
    engine.mixes = False
    pool = Pool(engine)
    with ThreadPoolExecutor(4) as executor:
        found = list(executor.map(lambda shard: draw(pool, shard, 5), range(4)))
    assert found == [wanted(shard, 5) for shard in range(4)]
    shards = [shard for shard, _ in engine.order]
    assert len(list(itertools.groupby(shards))) == 4


def test_what_follows_comes_before_the_rows_of_others() -> None:
    engine = Slots(1)
    pool = Pool(engine)
    draws = [deque([Request(0, 0, shard, "", Sampling())]) for shard in (1, 2)]
    first, second = (pool.complete(requests, lambda tokens: None) for requests in draws)
    request, _ = next(first)
    draws[0].append(Request(9, 1, request.seed, "", Sampling()))
    with ThreadPoolExecutor(1) as executor:
        other = executor.submit(list, second)
        assert len(list(first)) == 1
        assert len(other.result()) == 1
    assert sorted(engine.order) == [(1, 0), (1, 9), (2, 0)]


def test_a_failure_is_raised_once_and_others_go_on() -> None:
    engine = Slots(2)
    engine.failing = 5
    pool = Pool(engine)
    with ThreadPoolExecutor(3) as executor:
        drawn = [executor.submit(draw, pool, shard, 4) for shard in range(3)]
        failed = [shard for shard, future in enumerate(drawn) if future.exception()]
        assert len(failed) == 1
        assert all(drawn[shard].result() == wanted(shard, 4) for shard in range(3) if shard not in failed)
    assert draw(pool, failed[0], 4) == wanted(failed[0], 4)


def test_an_abandoned_draw_is_forgotten() -> None:
    pool = Pool(Slots(2))
    for _ in pool.complete(deque(Request(row, 0, 7, "", Sampling()) for row in range(5)), lambda tokens: None):
        break
    assert draw(pool, 1, 3) == wanted(1, 3)


def test_tokens_are_told_and_counted() -> None:
    engine = Slots(2)
    pool, told = Pool(engine), []
    draw(pool, 0, 3, told)
    assert engine.ended == 1, "a call with nothing left has ended"
    assert sum(told) == pool.done.tokens == 2 * (1 + 2 + 3)
    assert pool.done.seconds > 0
    assert pool.facts().slots == 2
