"""Columns that are null in most rows."""

from collections.abc import Mapping, Sequence

import polars as pl


def joined(name: str, size: int, values: Mapping[int, Sequence[str]], separator: str) -> pl.Series:
    """A column of `size` strings: the distinct values of each row, joined in order; null in all other rows."""
    column = pl.Series(name, [None], dtype=pl.String).new_from_index(0, size)
    if not values:
        return column
    return column.scatter(list(values), [separator.join(dict.fromkeys(texts)) for texts in values.values()])
