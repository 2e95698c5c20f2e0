"""How many requests are in flight: grows with the throughput, halves after an overload, stays within its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.generation.engines.limit import WINDOW_SECONDS, Limit


def windows(limit: Limit, rate: float, count: int, now: float) -> float:
    """Completions at a rate of tokens a second, for some windows."""
    for _ in range(count):
        step = 1.01 * WINDOW_SECONDS / limit.allowed
        for _ in range(limit.allowed):
            now += step
            limit.done(round(rate * step), True, now)
    return now


def test_it_grows_while_the_throughput_grows_and_then_stays() -> None:
    limit, now = Limit(8, 256), 0.0
    for expected in (16, 24, 32):
        now = windows(limit, 1000 * limit.allowed, 1, now)
        assert limit.allowed == expected
    windows(limit, 1000 * 24, 5, now)
    assert limit.allowed == 32


def test_it_ends_at_the_maximum() -> None:
    limit = Limit(8, 20)
    now = 0.0
    for rate in range(1, 6):
        now = windows(limit, 1000.0 * 2**rate, 1, now)
    assert limit.allowed == 20


def test_a_start_above_the_maximum_is_the_maximum() -> None:
    assert Limit(1000, 256).allowed == 256


def test_an_overload_halves_it_once_for_all_refusals_of_a_burst() -> None:
    limit = Limit(32, 256)
    for now in (10.0, 10.1, 10.0 + 0.9 * WINDOW_SECONDS):
        limit.overloaded(now)
        assert limit.allowed == 16
    limit.overloaded(10.0 + 1.1 * WINDOW_SECONDS)
    assert limit.allowed == 8


def test_it_grows_again_after_an_overload() -> None:
    limit = Limit(32, 256)
    now = windows(limit, 100_000, 1, 0.0)
    limit.overloaded(now)
    assert limit.allowed == 32
    windows(limit, 50_000, 1, now)
    assert limit.allowed == 64


def test_nothing_is_measured_while_no_request_waits() -> None:
    limit = Limit(2, 256)
    for number in range(100):
        limit.done(10**number, False, number)
    assert limit.allowed == 2


@pytest.mark.parametrize("most", [1, 7, 256])
@given(
    start=st.integers(1, 512),
    events=st.lists(st.tuples(st.sampled_from("doz"), st.integers(0, 10**6), st.floats(0, 60)), max_size=300),
)
def test_it_stays_within_its_bounds(start: int, most: int, events: list[tuple[str, int, float]]) -> None:
    limit, now = Limit(start, most), 0.0
    for kind, tokens, seconds in events:
        now += seconds
        before = limit.allowed
        if kind == "o":
            limit.overloaded(now)
            assert limit.allowed in (before, max(1, before // 2))
        else:
            limit.done(tokens, kind == "d", now)
            assert before <= limit.allowed <= before + min(start, most)
        assert 1 <= limit.allowed <= most
