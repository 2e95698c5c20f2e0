"""What a response says a second time: its phrases of six words and more, and the points of a list.

Of n words, `SHARE * (n + SHORT_WORDS)` may be in phrases that were there before. A response fails if more is, both
of its prose (`prose`), where no code, table or quotation is, and of all words, where numbers tell sentences of one
pattern apart. Verse repeats its refrains, and may say `VERSE_SHARE` again.

A list or a table, without other lines between its points, fails if a quarter of them and three at least were there
before. A list of labels, one for each of many texts, has one word in a point or few different ones, so that five
different points or five equal ones in succession are wanted.
"""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns import plain_words, tally
from tuner.curation.columns.batch import Batch
from tuner.curation.columns.patterns import Flags, where
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import I32, I64, U64, Words, mix, utf8
from tuner.curation.detectors import prose

SHARE, SHORT_WORDS = 0.22, 40
VERSE_SHARE = 0.45

# A phrase is the fewest words that are six and have twelve characters: where a word is a character, twelve.
_WORDS, _CHARACTERS = 6, 12
# Verse has eight lines at least, and three quarters of them are short and no points of a list. In bytes.
_VERSE_LINES, _VERSE_BYTES = 8, 64

_TIMES, _DIFFERENT, _SUCCESSION = 3, 5, 4
# Bytes of letters of a point that counts, and of a single word behind a bullet.
_LETTERS, _BULLET_LETTERS = 8, 4
# Bytes at the end of a line that are compared first.
_TAIL = 8
_NO_POINT, _BULLET, _NUMBER, _ROW = 0, 1, 2, 3
_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_BLANK, _TAB, _LINE, _BAR, _STAR, _TICK = (np.uint8(ord(character)) for character in " \t\n|*`")

Bytes = NDArray[np.uint8]


def in_phrases(batch: Batch, looked_at: Flags) -> Flags:
    """Which responses say too much again, shape (rows,).

    Args:
        batch: The rows.
        looked_at: Which of them to weigh, shape (rows,).
    """
    over = looked_at & (_ratios(batch.cached(prose.of_responses), looked_at) > SHARE)
    return where(over, batch.response, _says_too_much)


def in_lists(texts: pl.Series) -> Flags:
    """Which texts hold a list or a table whose points recur, shape (texts,).

    Args:
        texts: As they were written, shape (texts,).
    """
    return _lists(*utf8(texts))


def _says_too_much(texts: pl.Series) -> Flags:
    ratios = _ratios(plain_words.split(normalised(texts)), np.ones(len(texts), np.bool_))
    verse = np.array([_is_verse(text) for text in texts], np.bool_)
    return ratios > np.where(verse, VERSE_SHARE, SHARE)


def _ratios(words: Words, looked_at: Flags) -> NDArray[np.float64]:
    return _again(words.hashes, words.lengths, words.offsets, looked_at) / (words.counts + SHORT_WORDS)


def _is_verse(text: str) -> bool:
    lines = [line for line in text.encode().splitlines() if line.strip()]
    short = sum(len(line) < _VERSE_BYTES and line.lstrip()[:1] not in b"-*|0123456789" for line in lines)
    return len(lines) >= _VERSE_LINES and 4 * short >= 3 * len(lines)


@njit(cache=True, nogil=True)
def _again(hashes: U64, lengths: I32, offsets: I64, looked_at: Flags) -> I64:
    """How many words of each text are in a phrase that was there before."""
    texts = offsets.size - 1
    covered = np.zeros(texts, np.int64)
    longest = 0
    for text in range(texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    into = tally.table(longest)
    for text in range(texts):
        if not looked_at[text]:
            continue
        begin, end = offsets[text], offsets[text + 1]
        slots, until = tally.slots_for(end - begin), begin
        for word in range(begin, end - _WORDS + 1):
            value, characters, stop = mix(hashes[word]), lengths[word], word + 1
            while stop < end and (stop < word + _WORDS or characters < _CHARACTERS):
                value = mix(value * _PRIME ^ hashes[stop])
                characters += lengths[stop]
                stop += 1
            if characters < _CHARACTERS:
                break
            if tally.count(into, slots, text + 1, value) > 1:
                covered[text] += stop - max(word, until)
                until = stop
    return covered


@njit(cache=True, nogil=True)
def _lists(data: Bytes, offsets: I64) -> Flags:
    flags = np.zeros(offsets.size - 1, np.bool_)
    lines = np.ones(offsets.size - 1, np.int64)
    for text in range(offsets.size - 1):
        for at in range(offsets[text], offsets[text + 1]):
            lines[text] += data[at] == _LINE
    longest = int(lines.max()) if lines.size else 0
    into, slots, stamp = tally.table(longest), tally.slots_for(longest), 0
    for text in range(offsets.size - 1):
        stamp += 1
        if lines[text] <= _TIMES or not _tails_recur(data, offsets[text], offsets[text + 1], into, slots, stamp):
            continue
        at, end, fenced = offsets[text], offsets[text + 1], False
        of_list, indent = _NO_POINT, 0
        points, again, succession, longest_succession, last = 0, 0, 0, 0, np.uint64(0)
        while at < end:
            until = at
            while until < end and data[until] != _LINE:
                until += 1
            begin = at
            while begin < until and (data[begin] == _BLANK or data[begin] == _TAB):
                begin += 1
            if begin + 2 < until and data[begin] == _TICK and data[begin + 1] == _TICK and data[begin + 2] == _TICK:
                fenced = not fenced
            kind, content = (_NO_POINT, begin) if fenced else _point(data, begin, until)
            if begin < until and (kind != of_list or begin - at != indent):
                of_list, indent, stamp = kind, begin - at, stamp + 1
                points, again, succession, longest_succession, last = 0, 0, 0, 0, np.uint64(0)
            if kind != _NO_POINT:
                value, words, letters = _content(data, content, until)
                if letters:
                    points += 1
                    seen = tally.count(into, slots, stamp, value) > 1
                    long = letters >= _LETTERS and words >= 2
                    bullet = kind == _BULLET and letters >= _BULLET_LETTERS
                    again += seen and (long or kind == _ROW)
                    succession = succession + 1 if value == last and (long or bullet) else 0
                    longest_succession = max(longest_succession, succession)
                    last = value
                    different = points - again >= _DIFFERENT and again >= _TIMES and 4 * again >= points
                    flags[text] |= longest_succession >= _SUCCESSION or different
            at = until + 1
    return flags


@njit(cache=True, nogil=True)
def _tails_recur(data: Bytes, at: int, end: int, into: U64, slots: int, stamp: int) -> bool:
    """Whether so many lines end in the same bytes as one before: what few texts do, and is fast to see."""
    again = 0
    while at < end and again < _TIMES:
        until = at
        while until < end and data[until] != _LINE:
            until += 1
        value = _OFFSET
        for place in range(max(at, until - _TAIL), until):
            value = (value ^ np.uint64(data[place])) * _PRIME
        again += until > at and tally.count(into, slots, stamp, mix(value)) > 1
        at = until + 1
    return again >= _TIMES


@njit(cache=True, nogil=True, inline="always")
def _point(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """The kind of point that begins at `at`, and where its text does."""
    if at < end and data[at] == _BAR:
        return _ROW, at
    # The three bytes of a bullet.
    if at + 3 < end and data[at] == 0xE2 and data[at + 1] == 0x80 and data[at + 2] == 0xA2:
        return _BULLET, at + 3
    if at + 1 < end and (data[at] == _STAR or data[at] == 45) and data[at + 1] == _BLANK:
        return _BULLET, at + 2
    digit = at
    while digit < end and digit < at + 4 and 48 <= data[digit] <= 57:
        digit += 1
    # A full stop or a bracket behind the number.
    if digit > at and digit < end and (data[digit] == 46 or data[digit] == 41):
        return _NUMBER, digit + 1
    return _NO_POINT, at


@njit(cache=True, nogil=True)
def _content(data: Bytes, at: int, end: int) -> tuple[np.uint64, int, int]:
    """The hash of a point's letters and digits, and its words and bytes of letters."""
    value, words, letters, inside = _OFFSET, 0, 0, False
    for place in range(at, end):
        byte = data[place]
        lower = byte | 32 if 65 <= byte <= 90 else byte
        letter = lower >= 0x80 or 97 <= lower <= 122
        if letter or 48 <= lower <= 57:
            value = (value ^ np.uint64(lower)) * _PRIME
        elif inside:
            value = (value ^ np.uint64(_BLANK)) * _PRIME
        words += letter and not inside
        letters += letter
        inside = letter
    return mix(value), words, letters
