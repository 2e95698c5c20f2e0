"""Runs: the same tokens over and over without anything between, as a model writes that is caught in a loop.

A token is a word, a number, a mark, or a character from U+0800 on, where many scripts have no blanks. A run of period p
is a stretch in which every token equals the one p before it. Where a period has two words, numbers also equal
that are one more than the one before, so that the lines of a list that only counts on are a run too.
"""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import I64, U64, mix, utf8

LONGEST = 200
"""Tokens of the longest period looked for. What recurs in longer ones, the repeated lines and phrases show."""

# Repeats of the period, and the share of the text that the run has to be at so many. Prose has at least three words in
# a period, and not more marks and digits than words: markup and code repeat themselves more, and more still in lists
# that count on.
_PROSE = np.array([[4, 0.3], [5, 0.02]])
_OTHER, _COUNTED = np.array([[7, 0.4], [10, 0.25], [16, 0.02]]), np.array([[10, 0.25], [16, 0.02]])
_MARKS = np.array([[30, 0.5]])

_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MARK, _WORD, _NUMBER = 0, 1, 2

Flags = NDArray[np.bool_]


def found(texts: pl.Series) -> Flags:
    """Which texts hold a run that is long for the text, shape (texts,)."""
    return _found(*utf8(normalised(texts)))


@njit(cache=True, nogil=True)
def _found(data: NDArray[np.uint8], offsets: I64) -> Flags:
    flags = np.zeros(offsets.size - 1, np.bool_)
    for text in range(offsets.size - 1):
        hashes, values, kinds = _tokens(data, offsets[text], offsets[text + 1])
        flags[text] = _loops(hashes, values, kinds)
    return flags


@njit(cache=True, nogil=True)
def _tokens(data: NDArray[np.uint8], at: int, end: int) -> tuple[U64, I64, I64]:
    """The hash, the value if it is a number, and the kind of every token."""
    hashes, values = np.empty(end - at, np.uint64), np.zeros(end - at, np.int64)
    kinds = np.empty(end - at, np.int64)
    tokens = 0
    while at < end:
        byte = data[at]
        if byte <= 32:
            at += 1
            continue
        until, value, number = at, _OFFSET, 0
        if byte >= 0xE0:
            kind = _WORD
            until = at + (4 if byte >= 0xF0 else 3)
        elif 48 <= byte <= 57:
            kind = _NUMBER
            while until < end and until < at + 15 and 48 <= data[until] <= 57:
                number = 10 * number + data[until] - 48
                until += 1
        elif byte >= 0x80 or 97 <= byte <= 122:
            kind = _WORD
            while until < end and (0x80 <= data[until] < 0xE0 or 97 <= data[until] <= 122):
                until += 1
        else:
            kind = _MARK
            until = at + 1
        until = min(until, end)
        for place in range(at, until):
            value = (value ^ np.uint64(data[place])) * _PRIME
        hashes[tokens], values[tokens], kinds[tokens] = mix(value), number, kind
        tokens += 1
        at = until
    return hashes[:tokens], values[:tokens], kinds[:tokens]


@njit(cache=True, nogil=True)
def _loops(hashes: U64, values: I64, kinds: I64) -> bool:
    tokens = hashes.size
    for period in range(1, min(LONGEST, tokens // 4) + 1):
        same, counting = 0, 0
        for at in range(period, tokens + 1):
            equal = at < tokens and hashes[at] == hashes[at - period]
            if not equal and at < tokens and kinds[at] == _NUMBER and kinds[at - period] == _NUMBER:
                equal = values[at] - values[at - period] == 1
                counting += equal
            if equal:
                same += 1
                continue
            if same >= 3 * period and _is_loop(kinds, at - same - period, at, period, counting > 0):
                return True
            same, counting = 0, 0
    return False


@njit(cache=True, nogil=True)
def _is_loop(kinds: I64, begin: int, end: int, period: int, counts: bool) -> bool:
    words = 0
    for at in range(begin, begin + period):
        words += kinds[at] == _WORD
    if counts and words < 2:
        return False
    other = _COUNTED if counts else _OTHER
    limits = _MARKS if words == 0 else _PROSE if words >= 3 and 2 * words >= period else other
    repeats, share = (end - begin) / period, (end - begin) / kinds.size
    for limit in range(limits.shape[0]):  # noqa: SIM110 (compiled code has no generators)
        if repeats >= limits[limit, 0] and share >= limits[limit, 1]:
            return True
    return False
