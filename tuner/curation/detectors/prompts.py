"""Reads the benchmark prompts of the files that a recipe names, and the digests of those files."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from tuner import hashing, streams
from tuner.errors import InputError

FIELDS = ("prompt", "question", "problem", "instruction", "ctx", "turns", "input", "text")
"""Fields that may hold the prompt of a record, in any case; the first that a file has is read. Of a list, such as the
turns of MT-Bench, the first text is."""
SUFFIXES = (".txt", ".jsonl", ".json", ".csv", ".tsv", ".parquet")
"""All but the last also compressed, with a suffix of `streams.COMPRESSED` behind."""

_KEY = "curation.decontamination.against"


@dataclass(frozen=True)
class Prompt:
    """One question of a benchmark.

    Attributes:
        name: `file:number`, the line or record counted from 1.
        text: As written.
    """

    name: str
    text: str


def digests(against: Sequence[str]) -> list[dict[str, str]]:
    """The name and the digest of every file, which decide a result; its folder does not.

    Args:
        against: Paths of files, or `package:NAME/path` for a file of an installed package, by its import
            name or its distribution name. No code of the package is run.

    Returns:
        `name` and `sha256` of each.

    Raises:
        InputError: If a file is missing, its suffix is not in SUFFIXES, or it has none of FIELDS.
    """
    entries = []
    for entry in against:
        path = _located(entry)
        _field(path)
        about = path.stat()
        entries.append({"name": path.name, "sha256": _sha256(path, about.st_size, about.st_mtime_ns)})
    return entries


# Every plan asks for it. A changed file has another modification time.
@lru_cache(maxsize=64)
def _sha256(path: Path, _size: int, _changed: int) -> str:
    return hashing.of_file(path)


def read(against: Sequence[str]) -> list[Prompt]:
    """Reads the prompts of all files in order, skipping empty lines and records.

    Raises:
        InputError: As for `digests`; or if a prompt is not text, or a file has no prompts.
    """
    prompts = []
    for entry in against:
        path = _located(entry)
        new = [Prompt(f"{path.name}:{number}", text) for number, text in _texts(path) if text.strip()]
        if not new:
            raise InputError(f"{_KEY}: {path} holds no prompts")
        prompts += new
    return prompts


def _located(entry: str) -> Path:
    path = _in_package(entry.removeprefix("package:")) if entry.startswith("package:") else Path(entry).expanduser()
    suffix, codec = streams.suffixes(path)
    if suffix not in SUFFIXES or (codec and suffix == ".parquet"):
        compressed = ", ".join(streams.COMPRESSED)
        raise InputError(f"{_KEY}: {entry!r} is none of {', '.join(SUFFIXES)} (texts also with {compressed})")
    if not path.is_file():
        raise InputError(f"{_KEY}: there is no file {entry!r}")
    return path


def _in_package(place: str) -> Path:
    name, _, rest = place.partition("/")
    inner = PurePosixPath(rest)
    if not name or not rest or inner.is_absolute() or ".." in inner.parts:
        raise InputError(f"{_KEY}: 'package:{place}' must be package:NAME/path/in/package")
    spec = find_spec(name) if name.isidentifier() else None  # a dotted name would run the parent package
    if spec is not None and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]) / inner
    try:
        return Path(str(distribution(name).locate_file(inner)))
    except PackageNotFoundError as error:
        raise InputError(f"{_KEY}: no package {name!r} is installed") from error


def _field(path: Path) -> str:
    """The field that holds the prompts; the empty string for a file of lines."""
    match streams.suffixes(path)[0]:
        case ".txt":
            return ""
        case ".parquet":
            names: Sequence[str] = _columns(path)
        case _:
            _, record = next(_records(path), (0, {}))
            names = list(record)
    for field in FIELDS:
        if (name := next((name for name in names if name.lower() == field), None)) is not None:
            return name
    raise InputError(
        f"{_KEY}: {path} has none of the fields {', '.join(FIELDS)}; it has {', '.join(names) or 'nothing'}"
    )


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    field = _field(path)
    match streams.suffixes(path)[0]:
        case ".txt":
            yield from _lines(path)
        case ".parquet":
            import pyarrow.parquet

            column = pyarrow.parquet.read_table(path, columns=[field]).column(field)
            for number, value in enumerate(column.to_pylist(), 1):
                yield number, "" if value is None else _text(value, path, number, field)
        case _:
            for number, record in _records(path):
                yield number, _text(record.get(field), path, number, field)


def _text(value: Any, path: Path, number: int, field: str) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, str):
        raise InputError(f"{_KEY}: {path}:{number}: {field} is {type(value).__name__}, not text")
    return value


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    suffix = streams.suffixes(path)[0]
    if suffix in (".csv", ".tsv"):
        lines = (line for _, line in _lines(path))
        yield from enumerate(csv.DictReader(lines, delimiter="," if suffix == ".csv" else "\t"), 1)
        return
    for number, record in _array(path) if suffix == ".json" else _objects(path):
        if not isinstance(record, dict):
            raise InputError(f"{_KEY}: {path}:{number} is {type(record).__name__}, not an object")
        yield number, record


def _array(path: Path) -> Iterator[tuple[int, Any]]:
    """The elements of an array, or of the one that an object holds; or one object a line."""
    text = "".join(line for _, line in _lines(path))
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        yield from _objects(path)
        return
    if isinstance(value, dict):
        value = next(
            (each for each in value.values() if isinstance(each, list) and each and isinstance(each[0], dict)), [value]
        )
    yield from enumerate(value if isinstance(value, list) else [value], 1)


def _objects(path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{_KEY}: {path}:{number} is no JSON: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with streams.opened(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline=None) as lines:
        try:
            yield from enumerate(lines, 1)
        except UnicodeDecodeError as error:
            raise InputError(f"{_KEY}: {path} is not UTF-8: {error}") from error


def _columns(path: Path) -> list[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_schema(path).names
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{_KEY}: {path} is no Parquet file: {error}") from error
