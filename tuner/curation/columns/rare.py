"""Columns that hold something in a few rows only."""

from collections.abc import Mapping, Sequence

import polars as pl


def joined(name: str, size: int, found: Mapping[int, Sequence[str]], separator: str) -> pl.Series:
    """A column of `size` strings: what was found in each row, every string once, in order; null in all other rows."""
    column = pl.Series(name, [None], dtype=pl.String).new_from_index(0, size)
    if not found:
        return column
    return column.scatter(list(found), [separator.join(dict.fromkeys(texts)) for texts in found.values()])
