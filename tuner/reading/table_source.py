"""Reads rows from tables (Parquet, CSV, data sets of the hub), a few thousand at a time."""

import codecs
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from csv import reader
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import polars as pl
import pyarrow as pa
from pyarrow import csv, parquet

from tuner import streams
from tuner.errors import InputError
from tuner.reading.pieces import ID_COLUMNS, Column, Names, Piece, Record, Survey, Unread
from tuner.reading.turns import may_hold_turns

if TYPE_CHECKING:
    from datasets import Dataset

PIECE_ROWS = 5_000
BUFFER_BYTES = 2**20
"""For each column. By default a whole row group is read at once, which may be the whole file."""
LONGEST_HEADER = 2**20
DELIMITERS = (",", ";", "\t", "|")
BLOCK_BYTES = 16 * 2**20
"""Of CSV; no row may be longer."""


@dataclass(frozen=True)
class TableSource:
    """Rows of a table.

    Attributes:
        name: What it is called in messages.
        format: Likewise, of its format.
        bytes: Its size.
        read_schema: Returns its columns with their types.
        count: Returns how many rows there are.
        read: Reads some columns, about so many rows at a time.
    """

    name: str
    format: str
    bytes: int
    read_schema: Callable[[], pa.Schema]
    count: Callable[[], int]
    read: Callable[[Sequence[str], int], Iterator[pa.RecordBatch]]

    @property
    def unit(self) -> str:
        """What a row is called in messages."""
        return "row"

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The columns; every row has all of them."""
        texts = [field.name for field in self.schema if _is_text(field.type)]
        head = next((batch.slice(0, 1_000) for batch in self.batches(texts, PIECE_ROWS)), None) if texts else None
        # A text that may hold turns counts as a list. Read as bytes, since texts may be no valid UTF-8.
        first = {} if head is None else {name: head.column(name).cast(pa.binary()).to_pylist() for name in texts}
        listed = {
            name: any(may_hold_turns((text or b"").decode(errors="replace")) for text in column)
            for name, column in first.items()
        }
        return {
            field.name: Column(1, int(_is_list(field.type) or bool(listed.get(field.name)))) for field in self.schema
        }

    def survey(self) -> Survey:
        """Reads the columns of names once for the facts about all rows."""
        named = [name for name in ID_COLUMNS if name in self.schema.names and _is_text(self.schema.field(name).type)]
        names = {name: Names() for name in named}
        for batch in self.batches(named, 10 * PIECE_ROWS) if named else ():
            for name in named:
                names[name].add(pl.Series(batch.column(name).cast(pa.string())))
        kinds = {field.name: _single(field.type) for field in self.schema}
        with self._readable():
            rows = self.count()
        return Survey(rows, names, {name: kind for name, kind in kinds.items() if kind is not None})

    def pieces(self, fields: Sequence[str], others: Mapping[str, pa.DataType]) -> Iterator[Piece]:
        """Reads the table piece by piece.

        Args:
            fields: The columns that hold the texts.
            others: The other columns wanted, with their types.
        """
        number = 1
        wanted = [name for name in self.schema.names if name in {*fields, *others}]
        for batch in self.batches(wanted, PIECE_ROWS):
            table = pa.Table.from_batches([batch])
            records = _records(table, [name for name in fields if name in table.column_names])
            arrays = [
                table[name].cast(kind) if name in table.column_names else pa.nulls(table.num_rows, kind)
                for name, kind in others.items()
            ]
            yield Piece(
                range(number, number + len(records)),
                records,
                pa.Table.from_arrays(arrays, names=list(others)),
                batch.nbytes,
            )
            number += len(records)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns with their types."""
        with self._readable():
            schema = self.read_schema()
        if len(set(schema.names)) < len(schema.names):
            raise InputError(f"{self.name}: two columns have the same name: {', '.join(schema.names)}")
        return schema

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """The columns, about so many rows at a time."""
        with self._readable():
            yield from self.read(columns, rows)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            words = " ".join(str(error).split())
            raise InputError(f"{self.name}: not a readable {self.format} ({words})") from None


def of_parquet(path: Path) -> TableSource:
    """A Parquet file."""

    def read(columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        with parquet.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
            yield from file.iter_batches(batch_size=rows, columns=list(columns))

    return TableSource(
        str(path),
        "Parquet file",
        path.stat().st_size,
        lambda: parquet.read_schema(path),
        lambda: parquet.read_metadata(path).num_rows,
        read,
    )


def of_csv(path: Path, delimiter: str) -> TableSource:
    """A file of separated values, plain or compressed, whose first line names the columns; all are read as text.

    Args:
        path: The file.
        delimiter: What parts its values, unless another of `DELIMITERS` occurs more often in its first line.
    """

    @cache
    def begun() -> tuple[str, list[str]]:
        """What parts its values, and the names of the columns: Arrow would infer types that later rows do not have."""
        with streams.opened(path) as file:
            head = file.read(LONGEST_HEADER)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise InputError(f"{path}: is UTF-16; save it as UTF-8")
        lines = head.decode("utf-8-sig", errors="replace").splitlines(keepends=True)
        parted = max((delimiter, *DELIMITERS), key=lambda each: len(next(reader(lines, delimiter=each), [])))
        return parted, next(reader(lines, delimiter=parted), [])

    def schema() -> pa.Schema:
        return pa.schema([(name, pa.string()) for name in begun()[1]])

    def read(columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        options = (
            csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            csv.ParseOptions(delimiter=begun()[0], newlines_in_values=True),
            csv.ConvertOptions(check_utf8=False, column_types=schema(), include_columns=list(columns)),
        )
        with streams.opened(path) as file, csv.open_csv(file, *options) as batches:
            for batch in batches:
                yield from (batch.slice(begin, rows) for begin in range(0, batch.num_rows, rows))

    def count() -> int:
        return sum(batch.num_rows for batch in read(schema().names[:1], PIECE_ROWS))

    return TableSource(str(path), "file of separated values", path.stat().st_size, schema, count, read)


def of_dataset(name: str, data: "Dataset") -> TableSource:
    """A data set of the hub, or one that `datasets` saved in a folder."""

    def read(columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        for table in data.select_columns(list(columns)).with_format("arrow").iter(rows):
            yield from cast(pa.Table, table).combine_chunks().to_batches()

    schema = data.data.table.schema.remove_metadata()
    return TableSource(name, "data set", data.data.nbytes, lambda: schema, lambda: len(data), read)


def _records(table: pa.Table, fields: Sequence[str]) -> list[Record]:
    try:
        table.validate(full=True)
    except pa.ArrowInvalid:  # invalid UTF-8, which Parquet writers do not check
        return [_record(table[row : row + 1], fields) for row in range(table.num_rows)]
    return table.select(list(fields)).to_pylist() if fields else [{}] * table.num_rows


def _record(row: pa.Table, fields: Sequence[str]) -> Record:
    try:
        row.validate(full=True)
    except pa.ArrowInvalid:
        return Unread("a text is not valid UTF-8", "")
    return row.select(list(fields)).to_pylist()[0]


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _single(kind: pa.DataType) -> pa.DataType | None:
    """The type in which a column of single values is kept; None for other columns."""
    if _is_text(kind):
        return pa.string()
    # Intervals are primitive too, but Polars and Parquet do not support all of them.
    return kind if pa.types.is_primitive(kind) and not pa.types.is_interval(kind) else None
