"""Regular expressions over columns of texts, in Rust's syntax: linear in a text's length, without look-around."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


def has(texts: pl.Series, pattern: str) -> Flags:
    """Which texts contain a match of a pattern, shape (texts,); false for nulls."""
    return texts.str.contains(pattern).fill_null(False).to_numpy()


def where(candidates: Flags, texts: pl.Series, test: Callable[[pl.Series], Flags]) -> Flags:
    """Applies a slow test to the candidates only; false for the other texts.

    Args:
        candidates: Which texts to test, shape (texts,).
        texts: All texts.
        test: From some texts to a flag for each, shape (some,).
    """
    flags = candidates.copy()
    if flags.any():
        flags[candidates] = test(texts.filter(candidates))
    return flags
