"""A row's random numbers depend on its position alone."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.generation.seeds import row_id, row_seed, uniforms

PLACES = st.tuples(st.integers(0, 2**53 - 1), st.integers(0, 10**6), st.integers(0, 10**5))


@given(PLACES)
def test_a_seed_is_63_bits(place: tuple[int, int, int]) -> None:
    assert 0 <= row_seed(*place) < 2**63
    assert row_seed(*place) == row_seed(*place)


@given(PLACES, PLACES)
def test_every_row_has_its_own_seed_and_id(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    assert (row_seed(*one) == row_seed(*other)) == (one == other)
    assert (row_id(*one) == row_id(*other)) == (one == other)


def test_the_seeds_of_many_rows_are_distinct() -> None:
    seeds = {row_seed(42, shard, index) for shard in range(100) for index in range(200)}
    assert len(seeds) == 20_000


def test_a_seed_is_the_sha256_of_its_rows_position() -> None:
    digest = hashlib.sha256(b"42/3/7").digest()
    assert row_seed(42, 3, 7) == int.from_bytes(digest[:8], "big") >> 1


def philox(counter: int, key: list[int]) -> list[int]:
    """Philox4x64-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3; 2011) in Python integers."""
    low = 2**64 - 1
    state = [counter, 0, 0, 0]
    for round_ in range(10):
        one, two = 0xD2E7470EE14C6C93 * state[0], 0xCA5A826395121157 * state[2]
        keys = (key[0] + round_ * 0x9E3779B97F4A7C15) & low, (key[1] + round_ * 0xBB67AE8584CAA73B) & low
        state = [two >> 64 ^ state[1] ^ keys[0], two & low, one >> 64 ^ state[3] ^ keys[1], one & low]
    return state


@given(st.integers(0, 2**63 - 1), st.integers(0, 1))
def test_numbers_are_those_of_their_definition_on_every_machine(seed: int, turn: int) -> None:
    wanted = [number for counter in (1, 2) for number in philox(counter, [seed, turn])]
    assert uniforms(seed, turn, 8).tolist() == [(number >> 11) / 2**53 for number in wanted]


def test_ids_sort_in_row_order() -> None:
    places = [(42, 0, 9), (42, 0, 10), (42, 2, 0), (42, 10, 0)]
    assert sorted(row_id(*place) for place in places) == [row_id(*place) for place in places]


@given(st.integers(0, 2**63 - 1), st.integers(0, 1), st.integers(1, 40), st.integers(0, 40))
def test_the_first_numbers_do_not_depend_on_the_count(seed: int, turn: int, few: int, more: int) -> None:
    numbers = uniforms(seed, turn, few + more)
    assert np.array_equal(numbers[:few], uniforms(seed, turn, few))
    assert numbers.dtype == np.float64
    assert ((numbers >= 0) & (numbers < 1)).all()


def test_turns_and_rows_draw_different_numbers() -> None:
    streams = [tuple(uniforms(row_seed(42, 0, index), turn, 4)) for index in range(50) for turn in (0, 1)]
    assert len(set(streams)) == 100


def test_the_numbers_are_uniform() -> None:
    numbers = np.concatenate([uniforms(row_seed(1, 0, index), 0, 50) for index in range(400)])
    counts = np.histogram(numbers, bins=10, range=(0, 1))[0]
    assert numbers.mean() == pytest.approx(0.5, abs=0.01)
    assert abs(counts - 2000).max() < 5 * np.sqrt(2000)
