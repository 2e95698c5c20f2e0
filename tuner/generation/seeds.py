"""Random numbers that belong to a row: they follow from its seed alone, never from its batch, order or neighbours."""

import numpy as np

from tuner import hashing


def row_seed(recipe_seed: int, shard: int, index: int) -> int:
    """The seed of a row: 63 bits of the sha256 of where it stands."""
    return int(hashing.of_text(f"{recipe_seed}/{shard}/{index}")[:16], 16) >> 1


def row_id(recipe_seed: int, shard: int, index: int) -> str:
    """The name of a row, unique within a recipe's seed."""
    return f"{recipe_seed}-{shard:05d}-{index:05d}"


def uniforms(seed: int, turn: int, count: int) -> np.ndarray:
    """The numbers that choose a row's tokens, one each.

    Philox is counter-based and its stream is part of NumPy's compatibility promise, so a row's numbers are the same
    on every machine, and the first n do not depend on how many are asked for.

    Args:
        seed: The row's.
        turn: 0 for the instruction, 1 for the response.
        count: How many tokens may come.

    Returns:
        float64 in [0, 1), shape (count,).
    """
    return np.random.Generator(np.random.Philox(key=[seed, turn])).random(count)
