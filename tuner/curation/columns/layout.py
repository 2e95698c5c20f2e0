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
_STOPS = np.frombuffer(b".!?", np.uint8)
_OPEN = np.frombuffer(b",;:[{", np.uint8)
_SEMICOLON = np.uint8(ord(";"))
_CODE, _ENDS_CODE = np.frombuffer(b"{}[]<>=$_|", np.uint8), np.frombuffer(b"{};)", np.uint8)
SIGNS = 3
"""Bytes. A text this short is a sign that was asked for, not a cut one."""


def unfinished(texts: pl.Series) -> Flags:
    """Which texts end on a comma, semicolon, colon, open bracket or bare bullet, or inside a fenced block.

    A semicolon ends a line of code; a bare fence at the end closes a block that was opened within a line. A final `:(`
    is a smiley, not a bracket; a `*` may end bold text, so a bullet must be alone in its line.

    Returns:
        Shape (texts,).
    """
    return _unfinished(*utf8(texts), texts.str.contains("```", literal=True).to_numpy())


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
def _unfinished(data: Bytes, offsets: I64, fenced: Flags) -> Flags:
    flags = np.zeros(offsets.size - 1, np.bool_)
    for text in range(offsets.size - 1):
        begin = offsets[text]
        end = trimmed(data, begin, offsets[text + 1])
        if end - begin <= SIGNS or _ends_on_fence(data, begin, end):
            continue
        flags[text] = _ends_open(data, begin, end) or (fenced[text] and _ends_fenced(data, begin, offsets[text + 1]))
    return flags


@njit(cache=True, nogil=True)
def _ends_open(data: Bytes, begin: int, end: int) -> bool:
    if end == begin:
        return False
    last = data[end - 1]
    if last == _SEMICOLON and _is_statement(data, begin, end - 1):
        return False
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
def _is_statement(data: Bytes, begin: int, end: int) -> bool:
    """Whether the last line before the semicolon at `end` is of code: by its signs, two capitals first, or a call."""
    if end > begin and _one_of(_ENDS_CODE, data[end - 1]):
        return True
    at = end - 1
    while at >= begin and data[at] != _LINE:
        if _one_of(_CODE, data[at]):
            return True
        at -= 1
    if at + 2 < end and 65 <= data[at + 1] <= 90 and 65 <= data[at + 2] <= 90:
        return True
    # A statement of plain words, such as `return x;` or `END;`, follows lines of code.
    while at > begin and (data[at] == _LINE or data[at] == _BLANK or data[at] == _TAB):
        at -= 1
    return at > begin and _one_of(_ENDS_CODE, data[at])


@njit(cache=True, nogil=True)
def _ends_on_fence(data: Bytes, begin: int, end: int) -> bool:
    """Whether the last line is a bare fence, which closes a block wherever that was opened, and has lines before it."""
    if end - begin < 5 or data[end - 1] != _FENCE or data[end - 2] != _FENCE or data[end - 3] != _FENCE:
        return False
    at = end - 4
    while at >= begin and (data[at] == _BLANK or data[at] == _TAB):
        at -= 1
    return at >= begin and data[at] == _LINE


@njit(cache=True, nogil=True)
def _ends_fenced(data: Bytes, begin: int, end: int) -> bool:
    """Whether an odd number of lines begins with three backticks, after blanks and tabs.

    If the last of several is bare and what follows it ends a sentence, it has closed a block.
    """
    fences, bare = 0, False
    at = begin
    while at < end:
        while at < end and (data[at] == _BLANK or data[at] == _TAB):
            at += 1
        if at + 2 < end and data[at] == _FENCE and data[at + 1] == _FENCE and data[at + 2] == _FENCE:
            fences += 1
            bare = at + 3 < end and data[at + 3] == _LINE
        while at < end and data[at] != _LINE:
            at += 1
        at += 1
    return fences % 2 == 1 and not (fences > 1 and bare and _one_of(_STOPS, data[trimmed(data, begin, end) - 1]))


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
