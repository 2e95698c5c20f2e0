"""The side of an instruction, decided by a hash of its normalised text alone."""

import hashlib
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tuner.curation.columns.text import normalise
from tuner.splitting.sides import SIDES, TRAIN, TUNING, VALIDATION

# Makes the side independent of other hashes of the same text. Changing it reassigns every row.
_SALT = b"split/1\n"


def side(instruction: str, validation: float, tuning: float = 0.0) -> str:
    """The side of an instruction in a cluster of its own, under the shares of the sides that do not train."""
    pair = hashes([normalise(instruction)])
    return SIDES[int(sides_of(pair[:, 0], validation, tuning)[0])]


def hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Two independent hashes of every normalised text.

    Returns:
        Shape (texts, 2): the first decides the side, the second which member decides for a cluster. With a single hash
        a cluster would be held out as soon as any of its members would be, and large ones almost always.
    """
    digests = b"".join(hashlib.sha256(_SALT + text.encode()).digest()[:16] for text in texts)
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


def sides_of(first_hashes: NDArray[np.uint64], validation: float, tuning: float) -> NDArray[np.int8]:
    """The side of each first hash: the lowest are held out, those above them tune, all others train.

    So a tuning share takes its rows from those that train, and the same rows are held out under any such share.

    Args:
        first_hashes: Shape (texts,).
        validation: The share of all 64-bit values that is held out.
        tuning: The share above it that tunes; less than 1 together.
    """
    at, to = (np.uint64(math.ceil(share * 2**64)) for share in (validation, validation + tuning))
    return np.where(first_hashes < at, VALIDATION, np.where(first_hashes < to, TUNING, TRAIN)).astype(np.int8)
