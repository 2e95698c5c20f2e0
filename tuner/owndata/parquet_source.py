"""Reads rows from Parquet, a few thousand at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyarrow import parquet

from tuner.errors import InputError
from tuner.owndata.pieces import ID_COLUMNS, Column, Names, Piece, Record, Survey, Unread

PIECE_ROWS = 5_000
BUFFER_BYTES = 2**20
"""For each column. By default a whole row group is read at once, which may be the whole file."""


@dataclass(frozen=True)
class ParquetSource:
    """A Parquet file.

    Attributes:
        path: The file.
    """

    path: Path

    @property
    def unit(self) -> str:
        """What a row is called in messages."""
        return "row"

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The columns; every row has all of them."""
        return {field.name: Column(1, int(_is_list(field.type))) for field in self._schema}

    def survey(self) -> Survey:
        """Reads the file once for the facts about all rows."""
        with self._readable():
            ids = next((name for name in ID_COLUMNS if self._names_rows(name)), None)
            rows = parquet.read_metadata(self.path).num_rows
        kinds = {field.name: _single(field.type) for field in self._schema}
        return Survey(rows, ids, {name: kind for name, kind in kinds.items() if kind is not None})

    def pieces(self, fields: Sequence[str], others: Mapping[str, pa.DataType]) -> Iterator[Piece]:
        """Reads the file piece by piece.

        Args:
            fields: The columns that hold the texts.
            others: The other columns wanted, with their types.
        """
        schema = pa.schema(list(others.items()))
        number = 1
        with self._readable(), _opened(self.path) as file:
            wanted = [name for name in self._schema.names if name in {*fields, *others}]
            for batch in file.iter_batches(batch_size=PIECE_ROWS, columns=wanted):
                table = pa.Table.from_batches([batch])
                records = _records(table, fields)
                yield Piece(
                    range(number, number + len(records)),
                    records,
                    table.select(schema.names).cast(schema),
                    batch.nbytes,
                )
                number += len(records)

    @cached_property
    def _schema(self) -> pa.Schema:
        with self._readable():
            schema = parquet.read_schema(self.path)
        if len(set(schema.names)) < len(schema.names):
            raise InputError(f"{self.path}: two columns have the same name: {', '.join(schema.names)}")
        return schema

    def _names_rows(self, name: str) -> bool:
        if name not in self._schema.names or not _is_text(self._schema.field(name).type):
            return False
        names = Names()
        with _opened(self.path) as file:
            for batch in file.iter_batches(batch_size=10 * PIECE_ROWS, columns=[name]):
                names.add(pl.Series(batch.column(0).cast(pa.string())))
        return names.unique

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.path}: not a readable Parquet file ({error})") from None


def _opened(path: Path) -> parquet.ParquetFile:
    return parquet.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)


def _records(table: pa.Table, fields: Sequence[str]) -> list[Record]:
    try:
        table.validate(full=True)
    except pa.ArrowInvalid:  # invalid UTF-8, which Parquet writers do not check
        return [_record(table[row : row + 1], fields) for row in range(table.num_rows)]
    return table.select(list(fields)).to_pylist()


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
