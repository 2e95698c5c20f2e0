"""Words without the characters between them: the form in which benchmark prompts are searched for in rows.

A word here is a run of letters, marks and digits, so that changed punctuation, markup and line breaks do not hide a
prompt. Which characters beyond ASCII are not letters is decided by ranges of normalised text, in which superscripts,
ligatures and full-width forms no longer occur: Latin-1's signs, general punctuation to box
drawing, CJK punctuation, emoji. Rare scripts' own punctuation counts as letters.

A text of 217 words takes 12 us; Polars' `extract_all` and `hash` take 35, and do not give the position of a word.
"""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.words import I32, I64, U64, Words, mix, utf8

_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_OTHER, _LETTER, _BEYOND = 0, 1, 2
_CLASSES = np.array(
    [_BEYOND if byte > 0x7F else _LETTER if chr(byte).isalnum() else _OTHER for byte in range(256)], np.uint8
)


def split(normal: pl.Series) -> Words:
    """The plain words of a column of normalised texts."""
    hashes, lengths, _, ends = _split(*utf8(normal))
    return Words(hashes, lengths, ends)


def excerpt(normal: str, start: int, size: int) -> str:
    """The part of a normalised text from its plain word `start`, `size` words long, up to the next word."""
    data = np.frombuffer(normal.encode(), np.uint8)
    _, _, begins, _ = _split(data, np.array([0, data.size], np.int64))
    begins = np.append(begins, data.size)
    return data[begins[start] : begins[start + size]].tobytes().decode().strip()


@njit(cache=True, nogil=True)
def _between(data: NDArray[np.uint8], at: int, end: int) -> int:
    """The length in bytes of a character beyond ASCII that is not part of a word, else 0."""
    byte = data[at]
    if byte == 0xC2:  # U+0080 to U+00BF
        return 2
    if byte == 0xC3 and at + 1 < end and (data[at + 1] == 0x97 or data[at + 1] == 0xB7):  # times, divided by
        return 2
    if at + 2 < end:
        second, third = data[at + 1], data[at + 2]
        if byte == 0xE2 and (second < 0xB0 or second == 0xB8 or second == 0xB9):  # U+2000 to U+2BFF, U+2E00 to U+2E7F
            return 3
        if byte == 0xE3 and second == 0x80:  # U+3000 to U+303F
            return 3
        if byte == 0xEF and second == 0xB8 and third < 0x90:  # U+FE00 to U+FE0F
            return 3
        if byte == 0xF0 and second == 0x9F:  # U+1F000 to U+1FFFF
            return 4
    return 0


@njit(cache=True, nogil=True)
def _split(data: NDArray[np.uint8], offsets: I64) -> tuple[U64, I32, I64, I64]:
    """The hash, length in characters and first byte of every word; and where each text's words begin."""
    texts = offsets.size - 1
    most = (offsets[texts] - offsets[0] + texts) // 2 + 1
    hashes, lengths, begins = np.empty(most, np.uint64), np.empty(most, np.int32), np.empty(most, np.int64)
    ends = np.zeros(texts + 1, np.int64)
    word = 0
    for text in range(texts):
        at, end = offsets[text], offsets[text + 1]
        value, length = _OFFSET, 0
        while at < end:
            byte = data[at]
            class_ = _CLASSES[byte]
            width = 1 if class_ == _OTHER else _between(data, at, end) if class_ == _BEYOND else 0
            if width:
                if length:
                    hashes[word], lengths[word] = mix(value), length
                    word += 1
                    value, length = _OFFSET, 0
                at += width
            else:
                if length == 0:
                    begins[word] = at
                value = (value ^ np.uint64(byte)) * _PRIME  # FNV-1a
                if byte & 0xC0 != 0x80 or length == 0:  # the first byte of a character
                    length += 1
                at += 1
        if length:
            hashes[word], lengths[word] = mix(value), length
            word += 1
        ends[text + 1] = word
    return hashes[:word].copy(), lengths[:word].copy(), begins[:word].copy(), ends
