"""What each character is to the words of a text: part of one, between two, or one of its own.

Han, kana, Thai, Lao, Khmer and Myanmar are written without blanks between words. Each of their characters, with its
marks, counts as a word, as in the measures of FLORES-200 and sacreBLEU for these languages: it needs no dictionary, and
what shares most of its characters in order shares most of its n-grams.
"""

import unicodedata

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

LETTER, WHITE, LOOK, ALONE, MARK, OTHER = range(6)
"""Kinds: part of a word; white space; (of a byte) told by the whole character; a word of its own; a combining mark;
punctuation, symbols and control characters."""

# Blocks, ends exclusive; letters in them stand alone. Marks and punctuation in them do not, digits are written in runs.
_WITHOUT_BLANKS = (
    (0x0E00, 0x0F00),  # Thai, Lao
    (0x1000, 0x10A0),  # Myanmar
    (0x1780, 0x1800),  # Khmer
    (0x3005, 0x3008),  # the iteration mark and zero of Han
    (0x3041, 0x3100),  # kana
    (0x31F0, 0x3200),
    (0x3400, 0x4DC0),  # Han
    (0x4E00, 0xA000),
    (0xA9E0, 0xAA00),  # Myanmar
    (0xAA60, 0xAA80),
    (0xF900, 0xFB00),  # Han
    (0xFF66, 0xFFA0),  # kana
)
_HAN, _HAN_END, _TAGS, _TAGS_END = 0x20000, 0x40000, 0xE0000, 0xE1000
_BY_CATEGORY = {"M": MARK, "P": OTHER, "S": OTHER}


def _kind(code: int) -> int:
    character, category = chr(code), unicodedata.category(chr(code))
    if character.isspace():
        return WHITE
    if category in ("Cc", "Cf", "Me"):
        return OTHER
    if category[0] == "L" or code == 0x3007:
        return ALONE if any(begin <= code < end for begin, end in _WITHOUT_BLANKS) else LETTER
    return _BY_CATEGORY.get(category[0], LETTER)


KINDS = np.array([_kind(code) for code in range(_HAN)], np.uint8)
"""The kind of each character below U+20000. Above, Han stands alone, tags and variation selectors are marks."""


@njit(cache=True, nogil=True)
def character(data: Bytes, at: int, end: int, kinds: Bytes) -> tuple[int, int]:
    """The kind of the character that begins at `at`, and its length in bytes."""
    code, width = np.int64(data[at]), 1
    if code >= 0xF0:
        code, width = code & 0x07, 4
    elif code >= 0xE0:
        code, width = code & 0x0F, 3
    elif code >= 0xC0:
        code, width = code & 0x1F, 2
    width = min(width, end - at)
    for place in range(at + 1, at + width):
        code = (code << 6) | np.int64(data[place] & 0x3F)
    if code < _HAN:
        return int(kinds[code]), width
    if code < _HAN_END:
        return ALONE, width
    return MARK if _TAGS <= code < _TAGS_END else LETTER, width
