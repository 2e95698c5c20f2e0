"""A hash of the instruction alone decides its side: the lowest are held out, those above them tune, the rest train."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.columns.text import normalise
from tuner.splitting.shares import side, sides_of
from tuner.splitting.sides import SIDES, TRAIN, TUNING, VALIDATION, pairs

TEXTS = st.text(st.characters(codec="utf-8"))
HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=30).map(lambda values: np.array(values, np.uint64))
SHARES = st.floats(0.001, 0.499)


@given(HASHES, SHARES, SHARES)
def test_a_tuning_share_is_taken_from_the_training_rows_alone(hashes, validation, tuning):
    before, after = sides_of(hashes, validation, 0), sides_of(hashes, validation, tuning)
    assert set(before.tolist()) <= {TRAIN, VALIDATION}
    assert ((before == VALIDATION) == (after == VALIDATION)).all()
    assert (before[after == TUNING] == TRAIN).all()


@given(TEXTS, SHARES, SHARES)
def test_the_hash_of_a_tuning_row_is_between_both_shares(instruction, validation, tuning):
    value = int.from_bytes(hashlib.sha256(b"split/1\n" + normalise(instruction).encode()).digest()[:8], "big") / 2**64
    below = "validation" if value < validation else "tuning" if value < validation + tuning else "train"
    assert side(instruction, validation, tuning) == below


@given(TEXTS, SHARES, st.floats(0.001, 0.4))
def test_a_larger_tuning_share_moves_rows_from_train_to_tuning_only(instruction, validation, tuning):
    before, after = side(instruction, validation, tuning), side(instruction, validation, tuning + 0.05)
    assert after == before or (before, after) == ("train", "tuning")


def test_the_lowest_and_the_highest_hash():
    ends = np.array([0, 2**64 - 1], np.uint64)
    assert sides_of(ends, 5e-324, 0).tolist() == [VALIDATION, TRAIN]
    assert sides_of(ends, 0.5, 0.5 - 2**-53).tolist() == [VALIDATION, TRAIN]


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_tuning_share_is_as_configured(share):
    tuning = sum(side(f"Instruction {i}", 0.2, share) == "tuning" for i in range(4000)) / 4000
    # Three standard deviations of a share of 4,000 rows are at most 0.024.
    assert tuning == pytest.approx(share, abs=0.024)


def test_every_two_sides_are_paired_once():
    assert pairs((TRAIN, VALIDATION)) == [(VALIDATION, TRAIN)]
    assert {frozenset(pair) for pair in pairs(range(len(SIDES)))} == {
        frozenset(pair) for pair in ((TRAIN, TUNING), (TRAIN, VALIDATION), (TUNING, VALIDATION))
    }
    assert len(pairs(range(len(SIDES)))) == 3
