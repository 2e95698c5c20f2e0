"""Which of several equal rows is kept."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.deployments.processes import PATIENCE
from tuner.curation.columns.text import normalised
from tuner.curation.duplicates import exact
from tuner.curation.duplicates.exact import keys, unique_rows

ROOT = Path(__file__).parents[3]

compiled = settings(deadline=None)  # the first call compiles


def key(instruction, response):
    return keys(normalised(pl.Series([instruction])), normalised(pl.Series([response])))[0]


def duplicates(rows):
    """The representative of each duplicate, by row_id, among rows (row_id, key, passes, quality[, round])."""
    ids, numbers, passes, quality, rounds = zip(*((*row, 0)[:5] for row in rows), strict=True)
    representatives = exact.representatives(
        np.array(numbers, np.uint64),
        np.array(passes),
        np.array(quality, float),
        pl.Series(ids),
        np.full(len(rows), True),
        np.array(rounds),
    )
    return {ids[row]: ids[best] for row, best in enumerate(representatives) if best >= 0}


def test_the_best_that_passes_wins():
    rows = [("a", 1, False, 0.99), ("b", 1, True, 0.8), ("c", 1, True, 0.9), ("d", 1, True, 0.8)]
    assert duplicates(rows) == {"a": "c", "b": "c", "d": "c"}


def test_a_row_that_passes_wins_over_one_that_does_not_whatever_the_scores():
    assert duplicates([("a", 1, False, 0.9), ("b", 1, True, 0.0)]) == {"a": "b"}


def test_of_equals_the_first_row_id_wins():
    assert duplicates([("b", 1, True, 0.5), ("a", 1, True, 0.5)]) == {"b": "a"}


def test_if_none_passes_the_best_represents_the_others():
    assert duplicates([("a", 1, False, 0.1), ("b", 1, False, 0.9), ("c", 1, False, np.nan)]) == {"a": "b", "c": "b"}


def test_an_earlier_round_wins_over_a_better_score_but_not_over_a_row_that_passes():
    assert duplicates([("a", 1, True, 0.9, 1), ("b", 1, True, 0.1, 0)]) == {"a": "b"}
    assert duplicates([("a", 1, True, 0.1, 1), ("b", 1, False, 0.9, 0)]) == {"b": "a"}


def test_rows_with_different_keys_are_no_duplicates():
    assert duplicates([("a", 1, True, 0.5), ("b", 2, True, 0.5)]) == {}


def test_rows_that_cannot_be_compared_neither_win_nor_lose():
    representatives = exact.representatives(
        np.ones(3, np.uint64),
        np.zeros(3, bool),
        np.zeros(3),
        pl.Series(["a", "b", "c"]),
        np.arange(3) > 0,
        np.zeros(3, np.int64),
    )
    assert representatives.tolist() == [-1, -1, 1]


def test_no_rows_at_all():
    none = np.empty(0, np.uint64)
    ids, rounds = pl.Series([], dtype=pl.String), np.empty(0, np.int64)
    assert exact.representatives(none, none == 1, np.empty(0), ids, none == 1, rounds).size == 0
    assert unique_rows(none, none == 1, np.empty(0)).size == 0


def test_the_key_sees_both_texts_apart():
    assert key("A  b", "c") == key("a B", "C\n")
    assert key("a", "b c") != key("a b", "c")
    assert key("a", "b") != key("b", "a")
    assert key("", "a") != key("a", "")


TEXTS = (["", "bread", "Explain how bread rises."], ["yeast", "", "Yeast eats sugar: é, 面包, \x00."])

ELSEWHERE = """
import polars as pl
from tests.curation.duplicates.test_exact import TEXTS, keys

print(*keys(*map(pl.Series, TEXTS)))
"""


def test_the_key_is_the_same_in_another_process_that_compiles_nothing():
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    command = [sys.executable, "-W", "ignore::RuntimeWarning", "-c", ELSEWHERE]  # products of 64 bits wrap around
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert list(map(int, done.stdout.split())) == keys(*map(pl.Series, TEXTS)).tolist()


def test_the_key_is_the_same_in_any_part_of_a_column():
    texts = pl.Series(["one", "twenty-two", "", "é" * 33, "one"])
    whole = keys(texts, texts)
    assert keys(texts[1:], texts[1:]).tolist() == whole[1:].tolist()
    assert whole[0] == whole[4]


def test_keys_of_texts_that_hardly_differ_spread_over_all_bits():
    texts = pl.Series([f"number {number}" for number in range(4096)])
    found = keys(texts, pl.Series(["same"] * 4096))
    assert np.unique(found).size == 4096
    bits = (found[:, None] >> np.arange(64, dtype=np.uint64)) & 1
    assert np.all(np.abs(bits.mean(axis=0) - 0.5) < 0.04)
    flipped = np.bitwise_count(found[1:] ^ found[:-1])
    assert abs(flipped.mean() - 32) < 0.5


@compiled
@given(st.lists(st.tuples(st.text(), st.text()), max_size=20))
def test_keys_are_equal_where_the_normal_texts_are(pairs):
    first, second = (normalised(pl.Series([pair[side] for pair in pairs], dtype=pl.String)) for side in (0, 1))
    found = keys(first, second)
    digests = [
        hashlib.sha256(repr(texts).encode()).digest() for texts in zip(first.to_list(), second.to_list(), strict=True)
    ]
    for one in range(len(pairs)):
        for other in range(one):
            assert (found[one] == found[other]) == (digests[one] == digests[other])


ROWS = st.lists(st.tuples(st.sampled_from([1, 2, 2**64 - 1]), st.booleans(), st.sampled_from([0.6, 0.7, np.nan])))


@compiled
@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows))))))
def test_the_order_does_not_matter_and_each_group_keeps_one(drawn):
    rows, order = drawn
    if not rows:
        return
    named = [(f"r{number}", *row) for number, row in enumerate(rows)]
    dropped = duplicates(named)
    assert duplicates([named[number] for number in order]) == dropped
    assert len(rows) - len(dropped) == len({row[0] for row in rows})
    assert not set(dropped.values()) & set(dropped)


@compiled
@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows))))))
def test_unique_rows_are_one_passing_row_of_each_key_in_an_order_independent_of_the_input(drawn):
    rows, order = drawn

    def chosen(rows):
        numbers, passes, quality = ([row[column] for row in rows] for column in range(3))
        found = unique_rows(np.array(numbers, np.uint64), np.array(passes, bool), np.array(quality, float))
        assert all(passes[position] for position in found)
        return [numbers[position] for position in found]

    assert sorted(chosen(rows)) == sorted({number for number, passes, _ in rows if passes})
    assert chosen([rows[number] for number in order]) == chosen(rows)
