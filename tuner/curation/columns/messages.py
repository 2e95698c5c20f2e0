"""The messages of many conversations as columns, and the texts that follow from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from tuner.curation.columns.words import I64

Flags = NDArray[np.bool_]

BLANK_LINE = "\n\n"
"""What separates the turns of one role in the joined text of a conversation."""


@dataclass(frozen=True)
class Messages:
    """The messages of the rows of a shard, one row after another.

    Attributes:
        roles: The role of each message, shape (messages,).
        texts: Its text, shape (messages,); never null.
        offsets: Row i has the messages from offsets[i] up to offsets[i + 1], shape (rows + 1,).
    """

    roles: pl.Series
    texts: pl.Series
    offsets: I64

    @classmethod
    def read(cls, conversations: pl.Series) -> Self:
        """The messages of a column of lists with `role` and `content`."""
        sizes = conversations.list.len().fill_null(0)
        turns = conversations.filter(sizes > 0).explode()
        texts = turns.struct.field("content").cast(pl.String).fill_null("")
        return cls(turns.struct.field("role").cast(pl.String), texts, _offsets(sizes.to_numpy()))

    @classmethod
    def of_pairs(cls, instruction: pl.Series, response: pl.Series) -> Self:
        """The messages of rows of one exchange each."""
        rows = len(instruction)
        order = np.arange(2 * rows).reshape(2, rows).T.ravel()
        roles = pl.Series(["user", "assistant"], dtype=pl.String).gather(np.arange(2 * rows) % 2)
        return cls(roles, pl.concat([instruction, response]).gather(order), 2 * np.arange(rows + 1))

    @cached_property
    def rows(self) -> I64:
        """The row of each message, shape (messages,)."""
        return np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))

    def by(self, role: str) -> Flags:
        """Which messages are by this role, shape (messages,)."""
        return (self.roles == role).fill_null(False).to_numpy()

    def any(self, flags: Flags) -> Flags:
        """Which rows have a message that is flagged, shape (rows,)."""
        return np.diff(np.append(0, np.cumsum(flags))[self.offsets]) > 0

    def joined(self, role: str) -> pl.Series:
        """The turns of one role in every row, separated by blank lines, shape (rows,)."""
        chosen = self.by(role)
        return joined(self.texts.filter(pl.Series(chosen)), np.append(0, np.cumsum(chosen))[self.offsets])

    @cached_property
    def singles(self) -> Flags:
        """Which rows are one exchange: a turn by the user, then one by the assistant, and system turns at most."""
        asks, answers = self.by("user"), self.by("assistant")
        others = ~(asks | answers | self.by("system"))
        counts = [np.diff(np.append(0, np.cumsum(flags))[self.offsets]) for flags in (asks, answers, others)]
        one = (counts[0] == 1) & (counts[1] == 1) & (counts[2] == 0)
        before, after = (np.flatnonzero(flags & one[self.rows]) for flags in (asks, answers))
        one[self.rows[before[before > after]]] = False
        return one

    def lists(self, rows: Flags) -> pl.Series:
        """The texts of these rows, each as a list; null for the other rows, shape (rows,)."""
        sizes = np.diff(self.offsets)
        texts = self.texts.filter(pl.Series(rows[self.rows], dtype=pl.Boolean))
        lists = pl.Series([None], dtype=pl.List(pl.String)).new_from_index(0, sizes.size)
        if not rows.any():
            return lists
        found = _lists(texts, _offsets(sizes[rows]))
        places = np.cumsum(rows) - 1
        return found.gather(pl.Series(np.where(rows, places, -1)).replace(-1, None))


def joined(texts: pl.Series, offsets: I64) -> pl.Series:
    """Texts joined by blank lines: text i of those from offsets[i] up to offsets[i + 1], shape (offsets - 1,)."""
    if np.array_equal(offsets, np.arange(offsets.size)):
        return texts
    return _lists(texts, offsets).list.join(BLANK_LINE)


def ranges(begins: I64, ends: I64) -> I64:
    """The numbers from each begin up to its end, one range after another."""
    sizes = ends - begins
    return np.repeat(ends - np.cumsum(sizes), sizes) + np.arange(sizes.sum())


def with_texts(conversations: pa.ChunkedArray, rows: I64, texts: Sequence[Sequence[str]]) -> pa.ListArray:
    """A column of conversations in which the messages of some rows have other texts.

    Args:
        conversations: Lists of objects with `content`, shape (rows,).
        rows: Which rows change, rising.
        texts: The texts of all messages of each of these rows.
    """
    lists = conversations.combine_chunks()
    turns = lists.flatten()
    offsets = _offsets(lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    places = ranges(offsets[:-1][rows], offsets[1:][rows])
    contents = pl.Series(turns.field("content"), dtype=pl.String).clone()
    contents = contents.scatter(places, pl.Series([text for each in texts for text in each], dtype=pl.String))
    fields = {field.name: turns.field(field.name) for field in turns.type}
    fields["content"] = contents.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.string())
    changed = pa.StructArray.from_arrays(list(fields.values()), names=list(fields))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), changed).cast(conversations.type)


def _offsets(sizes: NDArray[np.integer]) -> I64:
    return np.append(0, np.cumsum(sizes)).astype(np.int64)


def _lists(texts: pl.Series, offsets: I64) -> pl.Series:
    array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    return pl.Series(pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), array), dtype=pl.List(pl.String))
