"""Reads rows from JSON: one object a line (JSONL), or one array of objects. Anything else is returned as `Unread`.

A file may be compressed. Its suffix does not decide whether it is an array, but what it begins with.
"""

import json
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
from tuner.reading.kinds import is_row
from tuner.reading.pieces import ID_COLUMNS, Column, Names, Piece, Record, Survey, Unread
from tuner.reading.turns import may_hold_turns
from tuner.streams import opened

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
    """

    path: Path

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return str(self.path)

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.path.stat().st_size

    @cached_property
    def is_array(self) -> bool:
        """Whether it is one document of JSON, an array as a rule, instead of one object a line."""
        with opened(self.path) as file:
            if (line := file.readline(LONGEST_LINE)).startswith(_UTF16_BOMS):
                raise InputError(f"{self.path}: is UTF-16; save it as UTF-8")
            line = line.removeprefix(_UTF8_BOM).strip()
            while not line and (more := file.readline(LONGEST_LINE)):
                line = more.strip()
            rest = b""
            while not rest and (more := file.readline(LONGEST_LINE)):
                rest = more.strip()
        try:
            value = loads(line)
        except ValueError:
            return line.startswith((b"[", b"{")) and (line.startswith(b"[") or line.endswith((b"[", b"{", b",", b":")))
        return not rest and (isinstance(value, list) or _array_within(value) is not None)

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
            lists.update(name for name, value in record.items() if may_hold_turns(value))
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
        late: set[str] = set()
        for entry in self._read():
            rows += 1
            if isinstance(entry.record, Unread):
                continue
            late |= entry.record.keys() - self.columns.keys()
            for name, class_ in classes.items():
                class_.add(_value_class(entry.record.get(name)))
            for name, batch in values.items():
                batch.append(entry.record.get(name))
                if len(batch) == PIECE_ROWS:
                    names[name].add(batch)
                    batch.clear()
        for name, batch in values.items():
            names[name].add(batch)
        types = {name: _type(class_) for name, class_ in classes.items()}
        return Survey(rows, names, {name: kind for name, kind in types.items() if kind is not None}, frozenset(late))

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
        with opened(self.path) as file:
            number = 0
            while line := file.readline(LONGEST_LINE):
                number += 1
                if number == 1:
                    line = line.removeprefix(_UTF8_BOM)
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                        continue
                    yield Entry(number, _unread(f"longer than {LONGEST_LINE:,} bytes", line), 0)
                    continue
                if line.isspace():
                    continue
                try:
                    value = loads(line)
                except orjson.JSONDecodeError as error:
                    yield Entry(number, _unread(f"not valid JSON: {error.msg} at character {error.pos + 1}", line), 0)
                    continue
                yield Entry(number, _record(value, line), len(line))

    @cached_property
    def _document(self) -> tuple[list[Any], int]:
        """The rows of the document, and its size in bytes."""
        with opened(self.path) as file:
            content = file.read(LARGEST_ARRAY + 1).removeprefix(_UTF8_BOM)
        if len(content) > LARGEST_ARRAY:
            raise InputError(
                f"{self.path}: an array of more than {LARGEST_ARRAY:,} bytes is too large to be read whole; "
                "save it as JSONL"
            )
        try:
            value = loads(content)
        except orjson.JSONDecodeError as error:
            raise InputError(f"{self.path}: not valid JSON: {error}") from None
        if isinstance(value, dict):
            names = _array_within(value)
            if names is not None and len(names) > 1:
                raise InputError(f"{self.path}: holds several arrays, {', '.join(names)}; save the one you mean alone")
            value = value[names[0]] if names else [value]
        return value if isinstance(value, list) else [value], len(content)

    def _elements(self) -> Iterator[Entry]:
        values, size = self._document
        average = size // max(1, len(values))
        for number, value in enumerate(values, 1):
            record = value if isinstance(value, dict) else _record(value, orjson.dumps(value))
            yield Entry(number, record, average)


def loads(content: bytes) -> Any:
    """JSON as a value. NaN and Infinity, which are no JSON but which Python and Pandas write, are null.

    Raises:
        orjson.JSONDecodeError: If it is not JSON.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        if b"NaN" not in content and b"Infinity" not in content:
            raise
        try:
            return orjson.loads(orjson.dumps(json.loads(content)))
        except (ValueError, TypeError, RecursionError):
            pass
        raise


def _array_within(value: Any) -> list[str] | None:
    """The names of an object's arrays of objects; None if it is a row itself or has none."""
    if not isinstance(value, dict) or is_row(value):
        return None
    names = [name for name, each in value.items() if isinstance(each, list) and each and isinstance(each[0], dict)]
    return names or None


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
