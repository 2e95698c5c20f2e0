"""The side of an instruction, decided by a hash of its normalised text alone."""

import hashlib
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tuner.curation.columns.text import normalise

SIDES = ("train", "validation")
TRAIN, VALIDATION, LEFT_OUT = 0, 1, 2
"""Sides as integers; the first two index `SIDES`."""

# Makes the side independent of other hashes of the same text. Changing it reassigns every row.
_SALT = b"split/1\n"


def side(instruction: str, validation: float) -> str:
    """The side of an instruction in a cluster of its own: `validation` with the given probability, else `train`."""
    pair = hashes([normalise(instruction)])
    return SIDES[int(held_out(pair[:, 0], validation)[0])]


def hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Two independent hashes of every normalised text.

    Returns:
        Shape (texts, 2): the first decides the side, the second which member decides for a cluster. With a single hash
        a cluster would be held out as soon as any of its members would be, and large ones almost always.
    """
    digests = b"".join(hashlib.sha256(_SALT + text.encode()).digest()[:16] for text in texts)
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


def held_out(first_hashes: NDArray[np.uint64], validation: float) -> NDArray[np.bool_]:
    """Whether each first hash is within the lowest `validation` share of all 64-bit values."""
    return first_hashes < np.uint64(math.ceil(validation * 2**64))
