"""Words without the characters between them: the form in which benchmark prompts are searched for in rows.

A word here is a run of letters, marks and digits, or a character that stands alone with its marks, so that changed
punctuation, markup and line breaks do not hide a prompt.
"""

import numpy as np
import polars as pl

from tuner.curation.columns.characters import KINDS, LOOK, OTHER, WHITE
from tuner.curation.columns.words import Words, split_by

_KINDS = np.where(KINDS == OTHER, WHITE, KINDS).astype(np.uint8)
_KINDS[0xFE00:0xFE10] = WHITE  # variation selectors, mostly behind symbols
_BY_BYTE = np.where(np.arange(256) < 0x80, _KINDS[:256], LOOK).astype(np.uint8)


def split(normal: pl.Series) -> Words:
    """The plain words of a column of normalised texts."""
    return split_by(normal, _BY_BYTE, _KINDS)[0]


def excerpt(normal: str, start: int, size: int) -> str:
    """The part of a normalised text from its plain word `start`, `size` words long, up to the next word."""
    _, stops = split_by(pl.Series([normal]), _BY_BYTE, _KINDS)
    data, stops = normal.encode(), np.append(0, stops)
    begin, end = (_next(normal, len(data[: stops[word]].decode())) for word in (start, start + size))
    return normal[begin:end].strip()


def _next(normal: str, at: int) -> int:
    """Where the first word begins at or behind `at`, in characters."""
    while at < len(normal) and ord(normal[at]) < _KINDS.size and _KINDS[ord(normal[at])] == WHITE:
        at += 1
    return at
