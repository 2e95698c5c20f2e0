"""Texts of a person's: files of text, and a column of tables, cut into pieces that a model can ask for."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tuner.errors import InputError
from tuner.reading import opening
from tuner.reading.pieces import Unread
from tuner.reading.settings import Texts
from tuner.streams import opened, suffixes

SUFFIXES = (".txt", ".md", ".markdown", ".rst")
"""Files that are one text each."""

_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+")


class Piece(NamedTuple):
    """A piece of a text.

    Attributes:
        origin: Where it stands, such as `notes.md 3`: the third piece of that file.
        text: The piece.
    """

    origin: str
    text: str


def pieces(source: Texts) -> Iterator[Piece]:
    """The pieces of all texts that are long enough; raises as `every_piece` does."""
    return (piece for piece in every_piece(source) if is_long(piece, source))


def is_long(piece: Piece, source: Texts) -> bool:
    """Whether a piece has as many words as the source wants at least."""
    return len(piece.text.split()) >= source.words[0]


def every_piece(source: Texts) -> Iterator[Piece]:
    """The pieces of all texts, in the order of the files; rows without a text are empty ones.

    Raises:
        InputError: If a place does not exist, cannot be read or has no column of that name.
    """
    for place in source.path:
        path = Path(place)
        files = list(opening.files(path)) if path.is_dir() else [path]
        for file in files:
            if suffixes(file)[0] in SUFFIXES:
                yield from _numbered(file, [_text(file)], source.words[1])
            elif opening.is_known(file) or not path.is_dir():
                yield from _numbered(file, _column(file, source.column), source.words[1])


def cut(text: str, most: int) -> list[str]:
    """A text in pieces of whole paragraphs, and of whole sentences where a paragraph is too long.

    Args:
        text: The text.
        most: The most words of a piece; a single longer sentence is a piece of its own.
    """
    found: list[str] = []
    for paragraph in _joined(_PARAGRAPH.split(text), "\n\n", most):
        long = len(paragraph.split()) > most
        found += _joined(_SENTENCE.split(paragraph), " ", most) if long else [paragraph]
    return found


def _joined(parts: list[str], between: str, most: int) -> list[str]:
    """Neighbouring parts, joined as long as they have no more words than that."""
    joined: list[str] = []
    count = 0
    for part in filter(None, (part.strip() for part in parts)):
        words = len(part.split())
        if joined and count + words <= most:
            joined[-1], count = f"{joined[-1]}{between}{part}", count + words
        else:
            joined, count = [*joined, part], words
    return joined


def _numbered(file: Path, texts: Iterator[str] | list[str], most: int) -> Iterator[Piece]:
    pieces_ = (piece for text in texts for piece in cut(text, most) or [""])
    return (Piece(f"{file.name} {number}", piece) for number, piece in enumerate(pieces_, 1))


def _text(file: Path) -> str:
    with opened(file) as stream:
        content = stream.read()
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InputError(f"{file}: is not text in UTF-8; save it as UTF-8") from None


def _column(file: Path, column: str) -> Iterator[str]:
    source = opening.open_source(file)
    if column not in source.columns:
        raise InputError(
            f"{file}: has no column {column!r}; name one of {', '.join(source.columns)} as `column` of the source"
        )
    for piece in source.pieces([column], {}):
        for record in piece.records:
            text = None if isinstance(record, Unread) else record.get(column)
            yield text if isinstance(text, str) else ""
