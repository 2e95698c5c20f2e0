"""Reasons as bits: nothing is lost on the way there and back, and the order is that of the checks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.columns import bits
from tuner.curation.reasons import REASONS

ROWS = st.lists(st.sets(st.sampled_from(list(REASONS))), max_size=8)


def packed(rows):
    flags = {name: np.array([name in row for row in rows], np.bool_) for name in REASONS}
    return bits.pack(len(rows), flags)


def test_every_reason_has_a_bit_of_its_own():
    assert len(REASONS) <= 64
    assert len({int(bits.mask([name])) for name in REASONS}) == len(REASONS)


@given(ROWS)
def test_names_come_back_in_the_order_of_the_checks(rows):
    order = list(REASONS)
    assert bits.names(packed(rows)).to_pylist() == [sorted(row, key=order.index) for row in rows]


@given(ROWS)
def test_counts_are_of_all_reasons_and_firsts_add_up_to_the_rows_that_have_any(rows):
    counts, firsts = bits.counts(packed(rows)), bits.firsts(packed(rows))
    assert list(counts) == list(firsts) == list(REASONS)
    assert counts == {name: sum(name in row for row in rows) for name in REASONS}
    assert sum(firsts.values()) == sum(bool(row) for row in rows)
    order = list(REASONS)
    for name in REASONS:
        assert firsts[name] == sum(bool(row) and min(row, key=order.index) == name for row in rows)


def test_a_mask_holds_what_it_is_given():
    assert bits.mask([]) == 0
    assert packed([{"toxic", "refusal"}])[0] & bits.mask(["toxic"]) == bits.mask(["toxic"])
