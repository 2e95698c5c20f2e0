"""The engine on servers: every row once, whatever the servers do; real ones on loopback."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.generation.asked import LIMIT_SECONDS, assert_right, complete, wait
from tests.generation.served import LATE_SECONDS, SAMPLING, Served, faults, requests
from tuner.generation.engines import Completion, Request, replicas
from tuner.generation.engines.completions import CompletionsEngine, EndpointError
from tuner.settings import settings


def test_every_row_is_completed_once(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    tokens: list[int] = []
    engine = opened(server)
    found = {request.row: each for request, each in engine.complete(deque(requests(40)), tokens.append)}
    assert_right(found, server, 40)
    assert set(server.prompts().values()) == {1}
    assert sum(tokens) == sum(each.tokens for each in found.values()) == 40 * 11
    assert {each.finish for each in found.values()} == {"stop"}
    assert len({each.text for each in found.values()}) == 40


def test_the_same_row_is_asked_with_the_same_seed_by_every_engine(
    server: Served, opened: Callable[..., CompletionsEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = complete(opened(server, size=2), requests(6))
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "other"))
    settings.cache_clear()
    assert complete(opened(server, size=6), requests(6)[::-1]) == first
    assert len(server.asked) == 12


def test_no_requests_give_no_completions(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    assert complete(opened(server), []) == {}


def test_requests_added_meanwhile_go_first(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    queue, order = deque(requests(20)), []
    for request, _ in opened(server, size=1).complete(queue, lambda tokens: None):
        order.append((request.row, request.turn))
        if request.turn == 0:
            queue.appendleft(Request(request.row, 1, request.seed, f"{request.prompt} answer", SAMPLING))
    assert order == [(row, turn) for row in range(20) for turn in (0, 1)]
    assert len({body["seed"] for body in server.asked}) == 40


def test_as_many_are_in_flight_as_set_and_the_most_is_recorded(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    server.seconds = 0.05
    engine = opened(server, size=5)
    complete(engine, requests(20))
    assert server.most == engine.facts().slots == 5


@pytest.mark.parametrize(
    "kinds",
    [
        [(503, {})],
        [(429, {"Retry-After": "0.05"})],
        ["drop"],
        [(500, {}), (502, {})],
        [(503, {}), (429, {"Retry-After": "0"}), "drop", (500, {})],
    ],
)
def test_a_fifth_of_all_requests_may_fail(
    server: Served, opened: Callable[..., CompletionsEngine], kinds: Sequence[Any]
) -> None:
    engine = opened(server)
    server.fault = faults(0.2, kinds)
    found = complete(engine, requests(60))
    assert_right(found, server, 60)
    assert set(server.prompts().values()) == {1}
    assert engine.facts().reproducible == "seeded, not equal to the bit"


def test_no_row_is_lost_or_doubled_by_faults_of_all_kinds_and_a_server_that_is_killed_twice(
    server: Served, opened: Callable[..., CompletionsEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.generation.engines.client.DEADLINE_SECONDS", LATE_SECONDS / 3)
    monkeypatch.setattr("tuner.generation.engines.client.DEADLINE_SECONDS_PER_TOKEN", 0.0)
    engine = opened(server, size=16)
    server.seconds = 0.01
    server.fault = faults(0.2, ["drop", "half", "late", (500, {}), (429, {"Retry-After": "0"})])
    found: dict[int, Completion] = {}
    for request, completion in engine.complete(deque(requests(150)), lambda tokens: None):
        assert request.row not in found
        found[request.row] = completion
        if len(found) in (40, 90):
            server.die()
            server.live()
    assert_right(found, server, 150)


def test_an_overload_halves_what_is_in_flight_and_its_pause_is_kept(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    engine = opened(server, size=16)
    times: list[float] = []
    refusals = iter([(429, {"Retry-After": "1"})])

    def fault() -> Any:
        times.append(time.monotonic())
        return next(refusals, None)

    server.fault = fault
    found = complete(engine, requests(1))
    assert len(found) == 1 and len(times) == 2
    assert times[1] - times[0] >= 0.95
    assert engine._limit.allowed == 8


def test_a_slow_answer_is_asked_for_again(
    server: Served, opened: Callable[..., CompletionsEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(server, size=4)
    monkeypatch.setattr("tuner.generation.engines.client.DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr("tuner.generation.engines.client.DEADLINE_SECONDS_PER_TOKEN", 0.0)
    slow = iter([True])

    def fault() -> None:
        if next(slow, False):
            time.sleep(1.5)

    server.fault = fault
    assert sorted(complete(engine, requests(8))) == list(range(8))
    assert engine._limit.allowed < 4


def test_replicas_share_the_load(serve: Callable[..., Served], opened: Callable[..., CompletionsEngine]) -> None:
    one, two = serve(), serve()
    one.seconds = two.seconds = 0.02
    found = complete(opened(one, two), requests(60))
    assert sorted(found) == list(range(60))
    assert len(one.asked) + len(two.asked) == 60
    assert min(len(one.asked), len(two.asked)) >= 15


def test_a_replica_may_die_and_return(serve: Callable[..., Served], opened: Callable[..., CompletionsEngine]) -> None:
    one, two = serve(), serve()
    one.seconds = two.seconds = 0.01
    found, before = {}, 0
    queue = deque(requests(40))
    for request, completion in opened(one, two).complete(queue, lambda tokens: None):
        assert request.row not in found
        found[request.row] = completion
        if len(found) == 10:
            two.die()
            before = len(two.asked)
        if len(found) == 20:
            two.live()
        if len(found) >= 30 and len(two.asked) == before and not queue:
            queue.append(requests(len(found) + 200)[-1])  # until it is asked again
    assert set(range(40)) <= set(found)
    assert len(two.asked) > before


def test_a_replica_that_is_not_there_at_first_is_taken_in_later(
    serve: Callable[..., Served], opened: Callable[..., CompletionsEngine]
) -> None:
    one, two = serve(), serve()
    two.die()
    engine = opened(one, two)
    assert engine.facts().device == f"127.0.0.1:{one.port}"
    two.live()
    one.seconds = two.seconds = 0.02
    complete(engine, requests(40))
    assert two.asked
    assert engine.facts().device == f"127.0.0.1:{one.port}, 127.0.0.1:{two.port}"


def test_servers_that_stay_away_end_the_shard_for_its_task_to_be_retried(
    server: Served, opened: Callable[..., CompletionsEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.policy import is_transient

    engine = opened(server)
    monkeypatch.setattr(replicas, "PATIENCE_SECONDS", 0.5)
    server.die()
    with pytest.raises(EndpointError, match="no server of TUNER_ENDPOINT completes requests") as error:
        complete(engine, requests(20))
    assert is_transient(error.value)
    server.live()
    assert len(complete(engine, requests(20))) == 20


def test_a_request_that_always_fails_ends_the_shard(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    engine = opened(server)
    server.finish = "abort"
    with pytest.raises(EndpointError, match="failed 10 times at one request: it broke a completion off: abort"):
        complete(engine, requests(1))


def test_an_abandoned_call_leaves_nothing_in_flight(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    engine = opened(server)
    server.seconds = 0.05
    with closing(engine.complete(deque(requests(40)), lambda tokens: None)) as going:
        next(going)
        server.seconds = 10 * LIMIT_SECONDS
        for _ in range(3):
            next(going)
    wait(lambda: not any(each.in_flight for each in engine._replicas.all), "requests end")
    assert len(server.asked) < 30
