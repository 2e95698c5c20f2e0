"""Patterns over columns of texts. They are Rust's: linear in the length of a text, and without look-around."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


def has(texts: pl.Series, pattern: str) -> Flags:
    """Which texts a pattern occurs in, shape (texts,); a null has none."""
    return texts.str.contains(pattern).fill_null(False).to_numpy()


def where(candidates: Flags, texts: pl.Series, judge: Callable[[pl.Series], Flags]) -> Flags:
    """What is said of the candidates by a judge that takes its time, false of the others.

    Args:
        candidates: Which texts to look at closely, shape (texts,).
        texts: All of them.
        judge: Says of some texts, shape (some,), what it finds, shape (some,).
    """
    found = candidates.copy()
    if found.any():
        found[candidates] = judge(texts.filter(candidates))
    return found
