"""Writes a user's rows as shards in the layout of generated ones; rows that cannot be curated are set aside."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from tuner.artifacts import parquet
from tuner.reading.kinds import Conversation, Kind, chosen, recognise
from tuner.reading.opening import Source
from tuner.reading.pieces import Piece, Survey, Unread
from tuner.reading.turns import UnfitError
from tuner.rows import SCHEMA, THOUGHTS, TOOLS

SHARD_ROWS = 50_000
SHARD_BYTES = 128 * 2**20
"""A shard ends at this size even if it has fewer rows, which bounds the memory for long texts."""

FINISHES = ("instruction_finish", "response_finish")
"""Columns of generated rows that say whether a text was cut off; a user's texts are assumed to be complete."""

LABELS = ("label", "kto_tag")
"""Columns that say of a response whether it is a good example (KTO's); they are kept, and do not decide."""

_SCHEMA = pa.schema(
    [
        SCHEMA.field(name)
        for name in ("row_id", "shard", "index", "instruction", "response", THOUGHTS, "messages", *FINISHES)
    ]
)


class Input(NamedTuple):
    """One source, and the kind of its rows."""

    source: Source
    kind: Kind


def inputs_of(sources: Sequence[Source], columns: Mapping[str, str] | None) -> list[Input]:
    """Sources with the kinds of their rows.

    Args:
        sources: The sources.
        columns: What the columns hold, as for `kinds.chosen`; by default the rows are of one of `kinds.KINDS`.

    Raises:
        InputError: If rows are of no known kind, or have no such columns.
    """
    return [
        Input(each, chosen(columns, each.columns, each.name) if columns else recognise(each.columns, each.name))
        for each in sources
    ]


@dataclass
class Shards:
    """Reads all sources once and writes their rows as shards.

    Attributes:
        inputs: The sources.
        survey: The facts about all rows.
        others: The other columns that are kept, with their types.
        folder: Gets `<shard>/rows.parquet`.
        set_aside: Gets a line for each row that is set aside; not created if there is none.
        rows: Rows written so far.
        seen: Rows read so far.
        reasons: Rows set aside so far, by the part of their reason before a colon.
        earlier_thoughts: Turns before the assistant's last one whose thoughts were not kept, so far.
        cut: Turns after the assistant's last one, which were not kept, so far.
        undesired: Rows so far that a column of `LABELS` says are bad examples.
        unread: Keys of turns that were not read, such as `messages[].loss_weight`, and in how many rows.
    """

    inputs: Sequence[Input]
    survey: Survey
    others: Mapping[str, pa.DataType]
    folder: Path
    set_aside: Path
    rows: int = 0
    seen: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    earlier_thoughts: int = 0
    cut: int = 0
    undesired: int = 0
    unread: Counter[str] = field(default_factory=Counter)

    def write(self) -> Iterator[Path]:
        """Writes shard after shard and yields the path of each."""
        pending: list[pa.Table] = []
        size = number = 0
        for input_, piece in self.pieces():
            table = self.table(piece, input_)
            self.seen += len(piece.records)
            self.rows += table.num_rows
            pending.append(table)
            size += piece.bytes
            if sum(each.num_rows for each in pending) >= SHARD_ROWS or size >= SHARD_BYTES:
                yield self._shard(pending, number)
                pending, size, number = [], 0, number + 1
        if any(table.num_rows for table in pending):
            yield self._shard(pending, number)

    @cached_property
    def tools(self) -> bool:
        """Whether rows have a column of the tools that their conversation may call."""
        return any(
            name in source.columns or name in self.survey.late
            for source, kind in self.inputs
            for name in kind.beside.get("tools", ())
        )

    def pieces(self) -> Iterator[tuple[Input, Piece]]:
        """All rows, piece by piece."""
        for input_ in self.inputs:
            fields = [*input_.kind.fields, *input_.kind.optional, *FINISHES]
            named = [self.survey.ids] if self.survey.ids else []
            wanted = [name for name in dict.fromkeys([*fields, *named]) if name in input_.source.columns]
            for piece in input_.source.pieces(wanted, self.others):
                yield input_, piece

    def table(self, piece: Piece, input_: Input) -> pa.Table:
        """The rows of a piece as a table of the columns of `_SCHEMA`; those that cannot be read are set aside."""
        source, kind = input_
        # With several files the position in one names no row.
        place = f"{Path(source.name).name}:{source.unit}" if len(self.inputs) > 1 else source.unit
        readable: list[bool] = []
        conversations: list[Conversation] = []
        names: list[str] = []
        finishes: dict[str, list[str]] = {name: [] for name in FINISHES}
        set_aside: list[dict[str, Any]] = []
        for number, record in zip(piece.numbers, piece.records, strict=True):
            try:
                if isinstance(record, Unread):
                    raise UnfitError(record.reason)
                conversation = kind.read(record)
            except UnfitError as error:
                about = {"file": Path(source.name).name} if len(self.inputs) > 1 else {}
                set_aside.append({**about, source.unit: number, "reason": str(error)})
                if isinstance(record, Unread):
                    set_aside[-1]["begins"] = record.excerpt
                readable.append(False)
                continue
            readable.append(True)
            conversations.append(conversation)
            self.earlier_thoughts += conversation.earlier_thoughts
            self.cut += conversation.cut
            self.unread.update(kind.unread_keys(record))
            names.append(record[self.survey.ids] if self.survey.ids else f"{place}-{number:09}")
            for name, values in finishes.items():
                values.append(record[name] if record.get(name) in ("length", "skipped") else "stop")
        self._set_aside(set_aside)
        columns = {
            "row_id": pa.array(names, pa.string()),
            "instruction": pa.array([each.instruction for each in conversations], pa.string()),
            "response": pa.array([each.response for each in conversations], pa.string()),
            THOUGHTS: pa.array([each.thoughts for each in conversations], pa.string()),
            "messages": _messages(conversations),
            **{name: pa.array(values, pa.string()) for name, values in finishes.items()},
        }
        if self.tools:
            columns[TOOLS] = pa.array([each.tools for each in conversations], pa.string())
        mask = pa.array(readable, pa.bool_())
        others = {name: piece.others[name].filter(mask) for name in piece.others.column_names}
        for name in LABELS:
            if name in others:
                self.undesired += sum(str(value).lower() == "false" for value in others[name].to_pylist())
        return pa.table({**columns, **others})

    def _set_aside(self, lines: Sequence[Mapping[str, Any]]) -> None:
        if lines:
            self.reasons.update(line["reason"].partition(":")[0] for line in lines)
            with self.set_aside.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def _shard(self, tables: Sequence[pa.Table], number: int) -> Path:
        table = pa.concat_tables(tables)
        table = table.append_column("shard", pa.array([number] * table.num_rows, pa.int32()))
        table = table.append_column("index", pa.array(range(table.num_rows), pa.int32()))
        path = self.folder / f"{number:05}" / "rows.parquet"
        parquet.write(table.select([*_SCHEMA.names, *([TOOLS] if self.tools else []), *self.others]), path)
        return path


def write_empty(path: Path) -> None:
    """Writes a shard without rows."""
    parquet.write(_SCHEMA.empty_table(), path)


def _messages(conversations: Sequence[Conversation]) -> pa.ListArray:
    offsets = [0]
    for conversation in conversations:
        offsets.append(offsets[-1] + len(conversation.roles))
    roles = pa.array([role for conversation in conversations for role in conversation.roles], pa.string())
    contents = pa.array([content for conversation in conversations for content in conversation.contents], pa.string())
    turns = pa.StructArray.from_arrays([roles, contents], names=["role", "content"])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), turns)
