"""Reads rows from JSON: one object a line (JSONL), or one array of objects. Anything else is returned as `Unread`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from tuner.errors import InputError
from tuner.owndata.pieces import ID_COLUMNS, Column, Names, Piece, Record, Survey, Unread

PIECE_ROWS, PIECE_BYTES = 5_000, 16 * 2**20
SAMPLE = 1_000
"""The number of first objects whose keys are the columns."""
LONGEST_LINE = 64 * 2**20
"""Bytes. A longer line is not a row but another format."""
LARGEST_ARRAY = 512 * 2**20
"""Bytes of an array, which is read into memory."""

_EXCERPT = 120
_INT64 = range(-(2**63), 2**63)
_UTF8_BOM, _UTF16_BOMS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


class Entry(NamedTuple):
    """One line or element: its number from 1, its content, and its size in bytes."""

    number: int
    record: Record
    bytes: int


@dataclass(frozen=True)
class JsonSource:
    """A file of JSON.

    Attributes:
        path: The file.
        is_array: Whether it is one array instead of one object a line.
    """

    path: Path
    is_array: bool = False

    @property
    def unit(self) -> str:
        """What a row is called in messages: `line` or `row`."""
        return "row" if self.is_array else "line"

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The keys of the first thousand objects.

        Raises:
            InputError: If the file has lines, but none is an object.
        """
        rows: Counter[str] = Counter()
        lists: Counter[str] = Counter()
        for record in islice((entry.record for entry in self._read() if isinstance(entry.record, dict)), SAMPLE):
            rows.update(record.keys())
            lists.update(name for name, value in record.items() if isinstance(value, list))
        if not rows and (first := next(self._read(), None)) and isinstance(first.record, Unread):
            raise InputError(
                f"{self.path}: no {self.unit} is a JSON object; {self.unit} {first.number}: {first.record.reason}"
            )
        return {name: Column(rows[name], lists[name]) for name in rows}

    def survey(self) -> Survey:
        """Reads the file once for the facts about all rows."""
        rows = 0
        names = {name: Names() for name in ID_COLUMNS if name in self.columns}
        classes: dict[str, set[str]] = {name: set() for name, column in self.columns.items() if not column.lists}
        values: dict[str, list[Any]] = {name: [] for name in names}
        for entry in self._read():
            rows += 1
            if isinstance(entry.record, Unread):
                continue
            for name, class_ in classes.items():
                class_.add(_value_class(entry.record.get(name)))
            for name, batch in values.items():
                batch.append(entry.record.get(name))
                if len(batch) == PIECE_ROWS:
                    names[name].add(batch)
                    batch.clear()
        for name, batch in values.items():
            names[name].add(batch)
        ids = next((name for name in names if names[name].unique), None)
        types = {name: _type(class_) for name, class_ in classes.items()}
        return Survey(rows, ids, {name: kind for name, kind in types.items() if kind is not None})

    def pieces(self, fields: Sequence[str], others: Mapping[str, pa.DataType]) -> Iterator[Piece]:
        """Reads the file piece by piece; a record holds all fields of its object.

        Args:
            fields: The columns that hold the texts.
            others: The other columns wanted, with their types.
        """
        entries: list[Entry] = []
        size = 0
        for entry in self._read():
            entries.append(entry)
            size += entry.bytes
            if len(entries) == PIECE_ROWS or size >= PIECE_BYTES:
                yield _piece(entries, others, size)
                entries, size = [], 0
        if entries:
            yield _piece(entries, others, size)

    def _read(self) -> Iterator[Entry]:
        return self._elements() if self.is_array else self._lines()

    def _lines(self) -> Iterator[Entry]:
        with self.path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if number == 1:
                    if line.startswith(_UTF16_BOMS):
                        raise InputError(f"{self.path}: is UTF-16; save it as UTF-8")
                    line = line.removeprefix(_UTF8_BOM)
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                        continue
                    yield Entry(number, _unread(f"longer than {LONGEST_LINE:,} bytes", line), 0)
                    continue
                if line.isspace():
                    continue
                try:
                    value = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    yield Entry(number, _unread(f"not valid JSON: {error.msg} at character {error.pos + 1}", line), 0)
                    continue
                yield Entry(number, _record(value, line), len(line))

    @cached_property
    def _array(self) -> list[Any]:
        size = self.path.stat().st_size
        if size > LARGEST_ARRAY:
            raise InputError(f"{self.path}: an array of {size:,} bytes is too large to be read whole; save it as JSONL")
        try:
            return orjson.loads(self.path.read_bytes().removeprefix(_UTF8_BOM))
        except orjson.JSONDecodeError as error:
            raise InputError(f"{self.path}: not valid JSON: {error}") from None

    def _elements(self) -> Iterator[Entry]:
        average = self.path.stat().st_size // max(1, len(self._array))
        for number, value in enumerate(self._array, 1):
            record = value if isinstance(value, dict) else _record(value, orjson.dumps(value))
            yield Entry(number, record, average)


def _record(value: Any, line: bytes) -> Record:
    return value if isinstance(value, dict) else _unread("not a JSON object", line)


def _unread(reason: str, line: bytes) -> Unread:
    # A character has at most four bytes, so this is enough for the excerpt.
    return Unread(reason, line[: 4 * _EXCERPT].decode(errors="replace").strip()[:_EXCERPT])


def _piece(entries: Sequence[Entry], others: Mapping[str, pa.DataType], size: int) -> Piece:
    records = [entry.record for entry in entries]
    objects = [{} if isinstance(record, Unread) else record for record in records]
    arrays = [
        pa.array([_converted(record.get(name), kind) for record in objects], kind) for name, kind in others.items()
    ]
    table = pa.Table.from_arrays(arrays, names=list(others))
    return Piece([entry.number for entry in entries], records, table, size)


def _value_class(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case str():
            return "text"
        case bool():
            return "truth"
        case int():
            return "integer" if value in _INT64 else "number"
        case float():
            return "number"
        case _:
            return "other"


def _type(classes: set[str]) -> pa.DataType | None:
    """The type that holds all values of a column; None for columns that hold lists or objects, or only nulls."""
    present = frozenset(classes - {"nothing"})
    if not present or "other" in present:
        return None
    simple = {"text": pa.string(), "truth": pa.bool_(), "integer": pa.int64(), "number": pa.float64()}
    if len(present) == 1:
        return simple[next(iter(present))]
    return pa.float64() if present == {"integer", "number"} else pa.string()


def _converted(value: Any, kind: pa.DataType) -> Any:
    """A value in the type of its column; in a column of mixed types every value is text."""
    if value is None or isinstance(value, (list, dict)):
        return None
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    return float(value) if pa.types.is_floating(kind) else value
