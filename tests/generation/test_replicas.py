"""Which server gets the next request, and which are left out: clock values are made up."""

import pytest

from tuner.generation.engines.replicas import FIRST_PAUSE, LONGEST_PAUSE, PATIENCE_SECONDS, Replica, Replicas


@pytest.fixture
def two() -> Replicas:
    return Replicas(["http://a", "http://b"])


def taken(replicas: Replicas, now: float) -> Replica:
    replica = replicas.next(now)
    assert replica is not None
    replica.in_flight += 1
    return replica


def fail(replicas: Replicas, replica: Replica, now: float, pause: float | None = None) -> None:
    replica.in_flight -= 1
    replicas.failed(replica, "reset", now, now, pause)


def test_requests_go_where_the_fewest_are_in_flight(two: Replicas) -> None:
    assert [taken(two, 0).url for _ in range(4)] == ["http://a", "http://b", "http://a", "http://b"]
    two.all[1].in_flight = 0
    assert taken(two, 0).url == "http://b"


def test_pauses_double_up_to_the_longest_and_end_with_a_success() -> None:
    replicas, now, pauses = Replicas(["http://a"]), 0.0, []
    for _ in range(9):
        replica = taken(replicas, now)
        fail(replicas, replica, now)
        assert replicas.next(replica.until - 0.001) is None
        pauses.append(replica.until - now)
        now = replica.until
    assert pauses == [min(LONGEST_PAUSE, FIRST_PAUSE * 2**number) for number in range(9)]
    replica = taken(replicas, now)
    replicas.succeeded(replica)
    fail(replicas, replica, now)
    assert replica.until - now == FIRST_PAUSE


def test_a_burst_of_failures_is_one(two: Replicas) -> None:
    first = taken(two, 0)
    for now in (5.0, 5.1, 5.2):
        two.failed(first, "reset", 0.0, now)
    assert (first.failures, first.until) == (1, 5.0 + FIRST_PAUSE)


def test_after_a_failure_a_single_request_is_tried(two: Replicas) -> None:
    first, other = taken(two, 0), two.all[1]
    fail(two, first, 0)
    other.until = 1000
    assert taken(two, 50) is first
    assert two.next(50) is None
    two.succeeded(first)
    assert two.next(50) is first


def test_a_server_is_left_out_as_long_as_it_asks(two: Replicas) -> None:
    first = taken(two, 0)
    fail(two, first, 0, pause=7.0)
    assert first.until == 7.0
    fail(two, first, 10, pause=86400)
    assert first.until == 10 + PATIENCE_SECONDS


def test_servers_are_lost_after_the_patience_but_not_while_one_computes(two: Replicas) -> None:
    long = taken(two, 0)
    fail(two, taken(two, 0), 1)
    late = 2 + PATIENCE_SECONDS
    assert not two.are_lost(late)
    fail(two, long, late)
    assert two.are_lost(late)
    two.renew()
    assert not two.are_lost(late) and two.next(late) is not None


def test_a_success_begins_the_patience_anew(two: Replicas) -> None:
    fail(two, taken(two, 0), 0)
    two.succeeded(two.all[0])
    fail(two, taken(two, 100), 100)
    assert not two.are_lost(PATIENCE_SECONDS + 50)
