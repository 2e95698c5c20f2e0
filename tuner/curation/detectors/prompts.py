"""Reads the benchmark prompts of the files that a recipe names, and the digests of those files."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from tuner import hashing
from tuner.errors import InputError

FIELDS = ("prompt", "question", "instruction", "text")
"""Fields that may hold the prompt of a record; the first that a file has is read."""
SUFFIXES = (".txt", ".jsonl", ".parquet")

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
    if path.suffix not in SUFFIXES:
        raise InputError(f"{_KEY}: {entry!r} is none of {', '.join(SUFFIXES)}")
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
    match path.suffix:
        case ".jsonl":
            _, record = next(_records(path), (0, {}))
            names: Sequence[str] = list(record)
        case ".parquet":
            names = _columns(path)
        case _:
            return ""
    for field in FIELDS:
        if field in names:
            return field
    raise InputError(
        f"{_KEY}: {path} has none of the fields {', '.join(FIELDS)}; it has {', '.join(names) or 'nothing'}"
    )


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    field = _field(path)
    match path.suffix:
        case ".jsonl":
            for number, record in _records(path):
                yield number, _text(record.get(field), path, number, field)
        case ".parquet":
            import pyarrow.parquet

            column = pyarrow.parquet.read_table(path, columns=[field]).column(field)
            for number, value in enumerate(column.to_pylist(), 1):
                yield number, "" if value is None else _text(value, path, number, field)
        case _:
            yield from _lines(path)


def _text(value: Any, path: Path, number: int, field: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{_KEY}: {path}:{number}: {field} is {type(value).__name__}, not text")
    return value


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{_KEY}: {path}:{number} is no JSON: {error}") from error
        if not isinstance(record, dict):
            raise InputError(f"{_KEY}: {path}:{number} is {type(record).__name__}, not an object")
        yield number, record


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig") as file:
        try:
            yield from enumerate(file, 1)
        except UnicodeDecodeError as error:
            raise InputError(f"{_KEY}: {path} is not UTF-8: {error}") from error


def _columns(path: Path) -> list[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_schema(path).names
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{_KEY}: {path} is no Parquet file: {error}") from error
