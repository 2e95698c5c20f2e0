"""Random numbers per row: they depend only on the row's seed, not on its batch, its order or its neighbours."""

import numpy as np

from tuner import hashing
from tuner.generation.shards import DEFAULT

CHOICES = 1_000
"""The turn whose random numbers choose what is not sampled."""

CHOICE_SYSTEM, CHOICE_TOPIC, CHOICE_PERSONA, CHOICE_LANGUAGE, CHOICE_BEGINS = range(5)
"""Which of these numbers chooses what."""


def row_seed(recipe_seed: int, shard: int, index: int, source: str = DEFAULT) -> int:
    """The seed of a row: 63 bits of the sha256 of its position, and of its source's name if it has one."""
    named = "" if source == DEFAULT else f"/{source}"
    return int(hashing.of_text(f"{recipe_seed}/{shard}/{index}{named}")[:16], 16) >> 1


def row_id(recipe_seed: int, shard: int, index: int, source: str = DEFAULT) -> str:
    """The id of a row, unique within a recipe's seed."""
    named = "" if source == DEFAULT else f"{source}:"
    return f"{named}{recipe_seed}-{shard:05d}-{index:05d}"


def of_candidate(recipe_seed: int, row: str, number: int) -> int:
    """The seed of one of several answers to a row's instruction, 63 bits.

    Args:
        recipe_seed: The seed of the row's round.
        row: The row's id.
        number: Which of the answers of one model it is, from 0.
    """
    return int(hashing.of_text(f"{recipe_seed}/{row}/candidate {number}")[:16], 16) >> 1


def of_turn(seed: int, turn: int) -> int:
    """The seed that an engine with random numbers of its own is given: 31 bits, since some take no more."""
    return int(hashing.of_text(f"{seed}/{turn}")[:8], 16) >> 1


def uniforms(seed: int, turn: int, count: int) -> np.ndarray:
    """The random numbers that a row's tokens are sampled with, one per token.

    Philox is counter-based and its stream is part of NumPy's compatibility promise, so a row's numbers are the same
    on every machine, and the first n do not depend on `count`.

    Args:
        seed: The row's seed.
        turn: 0 for the instruction, 1 for the response and so on; or `CHOICES`.
        count: The maximum number of tokens.

    Returns:
        float64 in [0, 1), shape (count,).
    """
    return np.random.Generator(np.random.Philox(key=[seed, turn])).random(count)
