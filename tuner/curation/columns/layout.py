"""The layout of texts: how they end, and whether they have lists or paragraphs; read from their bytes in one pass."""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.words import I64, trimmed, utf8

Flags = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

FINAL_CHARACTERS = ".!?\"')"
"""The last character of a finished text, by the first run's formula."""

_FINAL = np.frombuffer(FINAL_CHARACTERS.encode(), np.uint8)
_LINE, _BLANK, _TAB, _FENCE, _DOT = (np.uint8(ord(character)) for character in "\n \t`.")
_COLON, _ROUND, _HYPHEN, _STAR = (np.uint8(ord(character)) for character in ":(-*")
_OPEN = np.frombuffer(b",;:[{", np.uint8)


def unfinished(texts: pl.Series) -> Flags:
    """Which texts end on a comma, semicolon, colon, open bracket or bare bullet, or inside a fenced block.

    A final `:(` is a smiley, not a bracket; a `*` may end bold text, so a bullet must be alone in its line.

    Returns:
        Shape (texts,).
    """
    return _unfinished(*utf8(texts))


def closed(texts: pl.Series) -> Flags:
    """Which texts end with one of `FINAL_CHARACTERS`, but for white space, shape (texts,)."""
    return _closed(*utf8(texts))


def structured(texts: pl.Series) -> Flags:
    """Which texts hold two line breaks in a row, or a line that begins like a list item, shape (texts,)."""
    return _structured(*utf8(texts))


@njit(cache=True, nogil=True, inline="always")
def _one_of(some: Bytes, byte: np.uint8) -> bool:
    equal = False
    for one in some:
        if one == byte:
            equal = True
    return equal


@njit(cache=True, nogil=True)
def _closed(data: Bytes, offsets: I64) -> Flags:
    flags = np.zeros(offsets.size - 1, np.bool_)
    for text in range(offsets.size - 1):
        end = trimmed(data, offsets[text], offsets[text + 1])
        flags[text] = end > offsets[text] and _one_of(_FINAL, data[end - 1])
    return flags


@njit(cache=True, nogil=True)
def _unfinished(data: Bytes, offsets: I64) -> Flags:
    flags = np.zeros(offsets.size - 1, np.bool_)
    for text in range(offsets.size - 1):
        begin = offsets[text]
        end = trimmed(data, begin, offsets[text + 1])
        flags[text] = _ends_open(data, begin, end) or _ends_fenced(data, begin, offsets[text + 1])
    return flags


@njit(cache=True, nogil=True)
def _ends_open(data: Bytes, begin: int, end: int) -> bool:
    if end == begin:
        return False
    last = data[end - 1]
    if _one_of(_OPEN, last):
        return True
    if last == _ROUND:
        return end - 2 < begin or data[end - 2] != _COLON
    at = end - 2
    if last == 0xA2 and end - 3 >= begin and data[end - 3] == 0xE2 and data[end - 2] == 0x80:  # a bullet
        at = end - 4
    elif last != _HYPHEN and last != _STAR:
        return False
    while at >= begin and (data[at] == _BLANK or data[at] == _TAB):
        at -= 1
    return at >= begin and data[at] == _LINE


@njit(cache=True, nogil=True)
def _ends_fenced(data: Bytes, begin: int, end: int) -> bool:
    """Whether an odd number of lines begins with three backticks, after blanks and tabs."""
    fences = 0
    at = begin
    while at < end:
        while at < end and (data[at] == _BLANK or data[at] == _TAB):
            at += 1
        if at + 2 < end and data[at] == _FENCE and data[at + 1] == _FENCE and data[at + 2] == _FENCE:
            fences += 1
        while at < end and data[at] != _LINE:
            at += 1
        at += 1
    return fences % 2 == 1


@njit(cache=True, nogil=True)
def _structured(data: Bytes, offsets: I64) -> Flags:
    flags = np.zeros(offsets.size - 1, np.bool_)
    for text in range(offsets.size - 1):
        at, end = offsets[text], offsets[text + 1]
        while at < end:
            if data[at] == _HYPHEN or data[at] == _STAR:
                break
            digit = at
            while digit < end and 48 <= data[digit] <= 57:
                digit += 1
            if at < digit < end and data[digit] == _DOT:
                break
            while at < end and data[at] != _LINE:
                at += 1
            at += 1
            if at < end and data[at] == _LINE:
                break
        flags[text] = at < end
    return flags
