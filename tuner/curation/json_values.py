"""Masks what stands in columns of JSON, value by value, so that it stays JSON and no escape is taken for a letter."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import polars as pl

Leaf = Callable[[str, str | float], Any]

_NO_WORD = re.compile(r"\W|[0-9]")


def masked(texts: pl.Series, mask: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The texts with every key, string and number masked that `mask` changes where it stands behind its key.

    Args:
        texts: JSON, or null.
        mask: From a column of texts to one with masks.
    """
    distinct = texts.unique().drop_nulls()
    values = [orjson.loads(text) for text in distinct]
    written: list[str] = []
    for value in values:
        _mapped(value, "", lambda key, leaf: written.append(_written(key, leaf)))
    column = pl.Series(written, dtype=pl.String)
    changes = zip(written, mask(column), strict=True)
    after = [_mapped(value, "", lambda _, leaf: _changed(leaf, changes)) for value in values]
    pairs = zip(distinct, values, after, strict=True)
    new = {text: orjson.dumps(changed).decode() for text, value, changed in pairs if changed != value}
    return texts.replace(new) if new else texts


def _mapped(value: Any, key: str, of_leaf: Leaf) -> Any:
    if isinstance(value, dict):
        return {of_leaf("", name): _mapped(each, name, of_leaf) for name, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, key, of_leaf) for each in value]
    return of_leaf(key, value) if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def _written(key: str, leaf: str | float) -> str:
    words = _NO_WORD.sub(" ", key)
    return f'{words}: "{leaf}"' if isinstance(leaf, str) else f"{words}: {leaf}"


def _changed(leaf: str | float, changes: Iterator[tuple[str, str]]) -> str | float:
    before, after = next(changes)
    return leaf if before == after else after.partition(": ")[2].removeprefix('"').removesuffix('"')
