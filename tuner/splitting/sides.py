"""On which side an instruction falls: a hash of its normalised text, and nothing else, decides."""

import hashlib
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tuner.curation.columns.text import normalise

SIDES = ("train", "validation")
TRAIN, VALIDATION, LEFT_OUT = 0, 1, 2
"""Sides as numbers; the first two are positions in `SIDES`."""

# Keeps the side independent of other uses of a hash of the same text. Changing it moves every row.
_SALT = b"split/1\n"


def side(instruction: str, validation: float) -> str:
    """Where an instruction falls that is near to no other: `validation` with the given probability, else `train`."""
    drawn = draws([normalise(instruction)])
    return SIDES[int(held_out(drawn[:, 0], validation)[0])]


def draws(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Two random numbers for every normalised text: equal texts have equal ones.

    Returns:
        Shape (texts, 2): the first decides the side, the second who decides for a cluster. They are independent; were
        they one, a cluster would be held out as soon as any of its members would be, and the large ones always.
    """
    digests = b"".join(hashlib.sha256(_SALT + text.encode()).digest()[:16] for text in texts)
    return np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)


def held_out(numbers: NDArray[np.uint64], validation: float) -> NDArray[np.bool_]:
    """Which first draws fall on `validation`, a share of all that could be drawn."""
    return numbers < np.uint64(math.ceil(validation * 2**64))
