"""Pieces of rows, into which every file format is read."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

ID_COLUMNS = ("row_id", "id", "uuid")
"""Columns that may hold unique row names, in order of preference."""


@dataclass(frozen=True)
class Unread:
    """A line that is not a row.

    Attributes:
        reason: Why it is not.
        excerpt: Its beginning.
    """

    reason: str
    excerpt: str


Record = Mapping[str, Any] | Unread


@dataclass(frozen=True)
class Piece:
    """Some thousand rows.

    Attributes:
        numbers: The position of each row in the file, from 1.
        records: The fields that hold the texts, by name; or why the row cannot be read.
        others: The other columns that are kept, one row for each record.
        bytes: About how many bytes were read.
    """

    numbers: Sequence[int]
    records: Sequence[Record]
    others: pa.Table
    bytes: int


class Column(NamedTuple):
    """A column of a file: how many rows have it, and in how many it is a list."""

    rows: int
    lists: int


@dataclass(frozen=True)
class Survey:
    """Facts about all rows that are needed before the first is written.

    Attributes:
        rows: How many rows there are, lines that cannot be read included.
        names: The values of the columns that may hold unique row names.
        others: The other columns that hold one text, number, truth value or date each, with their types.
        late: Keys that only rows behind those have from which the columns follow.
    """

    rows: int
    names: Mapping[str, "Names"]
    others: Mapping[str, pa.DataType]
    late: frozenset[str] = frozenset()

    @cached_property
    def ids(self) -> str | None:
        """The column of unique row names, if there is one; found once, since all names are sorted for it."""
        return next((name for name in ID_COLUMNS if name in self.names and self.names[name].unique), None)


def united(surveys: Sequence[tuple[Survey, Collection[str]]]) -> Survey:
    """The facts about the rows of several files, each with its columns.

    A column whose types differ is of numbers or of text; one that somewhere holds lists is no other column.
    """
    if len(surveys) == 1:
        return surveys[0][0]
    names = {
        name: Names.united([survey.names[name] for survey, _ in surveys])
        for name in ID_COLUMNS
        if all(name in survey.names for survey, _ in surveys)
    }
    others: dict[str, pa.DataType] = {}
    for name in dict.fromkeys(name for survey, _ in surveys for name in survey.others):
        # A column without a type is one of lists, or of nulls alone.
        types = {survey.others.get(name) for survey, columns in surveys if name in columns}
        if None not in types:
            numeric = all(pa.types.is_integer(each) or pa.types.is_floating(each) for each in types)
            others[name] = types.pop() if len(types) == 1 else pa.float64() if numeric else pa.string()
    late = frozenset[str]().union(*(survey.late for survey, _ in surveys))
    return Survey(sum(survey.rows for survey, _ in surveys), names, others, late)


class Names:
    """Determines whether a column's values are unique strings, in eight bytes a row."""

    def __init__(self) -> None:
        self._hashes: list[np.ndarray] = []
        self._strings = True

    def add(self, values: Sequence[Any] | pl.Series) -> None:
        """Adds the values of some rows."""
        if not isinstance(values, pl.Series):
            self._strings = self._strings and all(isinstance(value, str) for value in values)
            values = pl.Series(values if self._strings else [], dtype=pl.String)
        self._strings = self._strings and values.null_count() == 0 and not (values == "").any()
        if self._strings:
            self._hashes.append(values.hash(seed=7).to_numpy())
        else:
            self._hashes.clear()

    @classmethod
    def united(cls, several: Sequence["Names"]) -> "Names":
        """Those of several files."""
        united = cls()
        united._strings = all(names._strings for names in several)
        united._hashes = [hashes for names in several for hashes in names._hashes]
        return united

    @property
    def unique(self) -> bool:
        """Whether all values are distinct, non-empty strings."""
        if not (self._strings and self._hashes):
            return False
        hashes = np.concatenate(self._hashes)
        return np.unique(hashes).size == hashes.size
