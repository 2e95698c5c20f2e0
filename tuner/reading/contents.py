"""What the places of a recipe hold: looked at once when a recipe is read, so that its plan follows from the recipe."""

import hashlib
import json
from pathlib import Path
from typing import TypeVar

from tuner import hashing
from tuner.errors import InputError
from tuner.reading import opening, texts
from tuner.reading.settings import Contents, Existing, Hub, Texts
from tuner.settings import settings

_Source = TypeVar("_Source", bound=Existing)


def pinned(source: _Source, name: str) -> _Source:
    """A source with its contents filled in.

    Args:
        source: The source.
        name: Its key in the recipe, for errors.

    Raises:
        InputError: If a place does not exist, cannot be read, or holds nothing.
    """
    if source.contents is not None:
        return source
    try:
        return source.model_copy(update={"contents": look(source)})
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def look(source: Existing) -> Contents:
    """The digest and the number of rows or texts, remembered as long as no file changes.

    Raises:
        InputError: As for `pinned`.
    """
    files = _files(source)
    facts = [(str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    known = settings().folder("cache/contents") / hashing.of_text(repr((facts, source.model_dump_json())))
    if files and known.exists():
        return Contents.model_validate_json(known.read_text(encoding="utf-8"))
    commit = opening.commit_of(source.places()[0]) if isinstance(source, Hub) else ""
    placed = source if not isinstance(source, Hub) else source.model_copy(update={"revision": commit})
    rows = _rows(placed)
    if not rows:
        raise InputError(f"{', '.join(source.places())}: holds no {'texts' if isinstance(source, Texts) else 'rows'}")
    found = Contents(sha256=commit or digest(source), rows=rows)
    if files:
        known.write_text(found.model_dump_json(), encoding="utf-8")
    return found


def digest(source: Existing) -> str:
    """The sha256 of all files: of their names within a folder, and their contents."""
    places = [Path(place) for place in source.places()]
    files = [
        (file.relative_to(place).as_posix() if place.is_dir() else place.name, hashing.of_file(file))
        for place in places
        for file in (opening.files(place) if place.is_dir() else [place])
    ]
    return hashlib.sha256(json.dumps(files, ensure_ascii=False).encode(errors="surrogateescape")).hexdigest()


def _files(source: Existing) -> list[Path]:
    if isinstance(source, Hub):
        return []
    files: list[Path] = []
    for place in source.places():
        path = Path(place)
        if not path.exists():
            raise InputError(f"{place}: no such file; give {opening.KNOWN}")
        files += opening.files(path) if path.is_dir() else [path]
    return files


def _rows(source: Existing) -> int:
    if isinstance(source, Texts):
        return sum(1 for _ in texts.pieces(source))
    sources, _ = opening.open_sources(source.places())
    return sum(each.survey().rows for each in sources)
