"""A person's rows in the layout of generated ones, shard by shard; what cannot be curated is set aside and counted."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuner.artifacts import parquet
from tuner.generation.magpie import MESSAGES
from tuner.owndata.kinds import Conversation, Kind, UnfitError
from tuner.owndata.opening import Source
from tuner.owndata.pieces import Piece, Record, Survey, Unread

SHARD_ROWS = 50_000
SHARD_BYTES = 128 * 2**20
"""A shard is closed at this size even if it has fewer rows, so that long texts do not fill the memory."""

FINISHES = ("instruction_finish", "response_finish")
"""Columns of generated rows that say whether a text was cut off; a person's texts are taken to be whole."""

_SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("shard", pa.int32()),
        ("index", pa.int32()),
        ("instruction", pa.string()),
        ("response", pa.string()),
        ("messages", MESSAGES),
        *((name, pa.string()) for name in FINISHES),
    ]
)


@dataclass
class Shards:
    """Reads a source once and writes its rows.

    Attributes:
        source: The file.
        kind: What its rows look like.
        survey: What is known of all its rows.
        others: The columns that are kept beside the texts, with their types.
        folder: Gets `<shard>/rows.parquet`.
        set_aside: Gets a line for each row that was set aside, if there is one.
        rows: Written so far.
        seen: Rows looked at so far.
        reasons: Rows set aside so far, by what their reasons say before a colon.
    """

    source: Source
    kind: Kind
    survey: Survey
    others: Mapping[str, pa.DataType]
    folder: Path
    set_aside: Path
    rows: int = 0
    seen: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def write(self) -> Iterator[Path]:
        """Writes shard after shard and names each when it is complete."""
        waiting: list[pa.Table] = []
        size = number = 0
        for piece in self._pieces():
            table = self._table(piece)
            self.seen += len(piece.records)
            self.rows += table.num_rows
            waiting.append(table)
            size += piece.bytes
            if sum(each.num_rows for each in waiting) >= SHARD_ROWS or size >= SHARD_BYTES:
                yield self._shard(waiting, number)
                waiting, size, number = [], 0, number + 1
        if any(table.num_rows for table in waiting):
            yield self._shard(waiting, number)

    def _pieces(self) -> Iterator[Piece]:
        columns = self.source.columns
        asked = [*self.kind.fields, *self.kind.optional, *FINISHES]
        named = [self.survey.ids] if self.survey.ids else []
        wanted = [name for name in dict.fromkeys([*asked, *named]) if name in columns]
        return self.source.pieces(wanted, self.others)

    def _table(self, piece: Piece) -> pa.Table:
        fit: list[bool] = []
        spoken: list[Conversation] = []
        names: list[str] = []
        finishes: dict[str, list[str]] = {name: [] for name in FINISHES}
        aside: list[dict[str, Any]] = []
        for number, record in zip(piece.numbers, piece.records, strict=True):
            try:
                conversation = self._read(record)
            except UnfitError as error:
                aside.append({self.source.unit: number, "reason": str(error)})
                if isinstance(record, Unread):
                    aside[-1]["begins"] = record.excerpt
                fit.append(False)
                continue
            fit.append(True)
            spoken.append(conversation)
            assert isinstance(record, Mapping)
            names.append(record[self.survey.ids] if self.survey.ids else f"{self.source.unit}-{number:09}")
            for name, values in finishes.items():
                values.append(record[name] if record.get(name) in ("length", "skipped") else "stop")
        self._put_aside(aside)
        columns = {
            "row_id": pa.array(names, pa.string()),
            "instruction": pa.array([each.instruction for each in spoken], pa.string()),
            "response": pa.array([each.response for each in spoken], pa.string()),
            "messages": _messages(spoken),
            **{name: pa.array(values, pa.string()) for name, values in finishes.items()},
        }
        mask = pa.array(fit, pa.bool_())
        others = {name: piece.others[name].filter(mask) for name in piece.others.column_names}
        return pa.table({**columns, **others})

    def _read(self, record: Record) -> Conversation:
        if isinstance(record, Unread):
            raise UnfitError(record.reason)
        return self.kind.read(record)

    def _put_aside(self, lines: Sequence[Mapping[str, Any]]) -> None:
        if lines:
            self.reasons.update(line["reason"].partition(":")[0] for line in lines)
            with self.set_aside.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def _shard(self, tables: Sequence[pa.Table], number: int) -> Path:
        table = pa.concat_tables(tables)
        table = table.append_column("shard", pa.array([number] * table.num_rows, pa.int32()))
        table = table.append_column("index", pa.array(range(table.num_rows), pa.int32()))
        path = self.folder / f"{number:05}" / "rows.parquet"
        parquet.write(table.select([*_SCHEMA.names, *self.others]), path)
        return path


def nothing(path: Path) -> None:
    """Writes a shard without rows."""
    parquet.write(_SCHEMA.empty_table(), path)


def _messages(spoken: Sequence[Conversation]) -> pa.ListArray:
    offsets = [0]
    for each in spoken:
        offsets.append(offsets[-1] + len(each.roles))
    roles = pa.array([role for each in spoken for role in each.roles], pa.string())
    contents = pa.array([content for each in spoken for content in each.contents], pa.string())
    turns = pa.StructArray.from_arrays([roles, contents], names=["role", "content"])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), turns)
