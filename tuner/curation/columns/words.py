"""The words of many texts as hashes, for every check that counts or compares phrases.

A column of texts becomes one array of word hashes, in which a phrase is a slice. The loops over it are compiled and
release the interpreter's lock, so that threads process shards in parallel.

For a text of 217 words `split` takes 12 us, `phrases` 6 and `folded` 6. Polars splits and hashes in 8, but its hashes
change between versions, and signatures made of them are stored; NumPy makes phrases in 6, but needs more code for
short texts and ends of texts; Polars folds in 22.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.characters import ALONE, KINDS, LETTER, LOOK, MARK, OTHER, WHITE, Bytes, character

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
# The class of each byte for white space: 0 in a word, 1 white space, 2 the first byte of possible white space. A table,
# because a mispredicted branch at every byte takes ten times as long.
_CLASSES = np.zeros(256, np.uint8)
_CLASSES[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = 1
_CLASSES[[0xC2, 0xE1, 0xE2, 0xE3]] = 2
# For words: also the first bytes of characters that may stand alone.
_BY_BYTE = _CLASSES.copy()
_BY_BYTE[[0xE0, *range(0xE4, 0xEB), 0xEF, 0xF0]] = LOOK
_LOWER = np.frombuffer(bytes(range(256)).lower(), np.uint8)
# What each byte is folded to; a character of the first bytes of possible white space, and zero, is looked up.
_BLANK, _LOOK_UP = np.uint8(32), np.uint8(0)
_FOLDED = np.choose(_CLASSES, (_LOWER, _BLANK, _LOOK_UP)).astype(np.uint8)
_NOTHING = bytes(1)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)


@dataclass(frozen=True)
class Words:
    """The words of a column of texts.

    Attributes:
        hashes: 64-bit hash of each word, all texts one after another, shape (words,).
        lengths: Characters in each word, shape (words,).
        offsets: Text i has the words from offsets[i] up to offsets[i + 1], shape (texts + 1,).
    """

    hashes: U64
    lengths: I32
    offsets: I64

    @property
    def counts(self) -> I64:
        """Words of every text, shape (texts,)."""
        return np.diff(self.offsets)


def split(texts: pl.Series) -> Words:
    """Splits a column of texts into words: at white space as `str.split` does, and around characters that stand alone.

    A character of a script without blanks is a word (`characters`), together with the marks and the punctuation behind
    it, as punctuation belongs to the word before it in other scripts.
    """
    hashes, lengths, _, ends = _split(*utf8(texts), _BY_BYTE, KINDS, False)
    return Words(hashes, lengths, ends)


def split_by(texts: pl.Series, by_byte: Bytes, kinds: Bytes) -> tuple[Words, I64]:
    """Splits a column of texts by tables.

    Args:
        texts: To split.
        by_byte: The kind of each first byte of a character, or `LOOK`, shape (256,).
        kinds: The kind of each character below U+20000; what is `WHITE` parts words.

    Returns:
        The words, and the byte after each within the column, shape (words,).
    """
    hashes, lengths, stops, ends = _split(*utf8(texts), by_byte, kinds, True)
    return Words(hashes, lengths, ends), stops


def beginnings(texts: pl.Series, number: int | I64) -> pl.Series:
    """The first words of every text, so many of them (of all alike or of each) or fewer, as written."""
    words, stops = split_by(texts, _BY_BYTE, KINDS)
    data, begins = utf8(texts)
    last = words.offsets[:-1] + np.minimum(words.counts, number) - 1
    ends = np.where(words.counts > 0, np.append(stops, 0)[last], begins[:-1])
    whole = data.tobytes()
    return pl.Series(texts.name, [whole[at:end].decode() for at, end in zip(begins, ends, strict=False)], pl.String)


def hashes_of(words: Collection[str]) -> U64:
    """The hashes that `split` gives single words, in the order of the words."""
    return split(pl.Series(sorted(words))).hashes


def phrases(words: Words, size: int) -> tuple[U64, I64]:
    """The hashes of every text's phrases of `size` words; a shorter text, unless empty, is one phrase.

    Returns:
        The hashes, shape (phrases,), and the offsets of the texts within them, shape (texts + 1,).
    """
    counts = words.counts
    numbers = np.where(counts >= size, counts - size + 1, np.minimum(counts, 1))
    offsets = np.concatenate([[0], np.cumsum(numbers)]).astype(np.int64)
    return _phrases(words.hashes, words.offsets, offsets, size), offsets


def utf8(texts: pl.Series) -> tuple[Bytes, I64]:
    """The bytes of a column of texts, and where each begins: shapes (bytes,) and (texts + 1,)."""
    array = texts.cast(pl.String).fill_null("").rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    begins = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    # Read-only even if empty: loops are compiled anew for a writable array.
    return np.frombuffer(data if data is not None and data.size else _NOTHING, np.uint8)[: begins[-1]], begins


def ascii_characters(texts: pl.Series) -> I64:
    """How many of the characters of every text are ASCII, shape (texts,)."""
    return _ascii(*utf8(texts))


def folded(texts: pl.Series) -> pl.Series:
    """ASCII letters in lower case, every run of white space one blank, none at the ends; a null is an empty text."""
    data, offsets = _fold(*utf8(texts))
    array = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(data))
    return pl.Series(texts.name, array)


@njit(cache=True, nogil=True, inline="always")
def mix(value: np.uint64) -> np.uint64:
    """Spreads a hash over all 64 bits (the finalizer of splitmix64)."""
    value = (value ^ (value >> _S30)) * _MIX_1
    value = (value ^ (value >> _S27)) * _MIX_2
    return value ^ (value >> _S31)


@njit(cache=True, nogil=True)
def space(data: Bytes, at: int, end: int) -> int:
    """The length in bytes of the white space character (as of `str.isspace`) at `at`, 0 if it is none."""
    class_ = int(_CLASSES[data[at]])
    return class_ if class_ < 2 else _wide_space(data, at, end)


@njit(cache=True, nogil=True)
def _wide_space(data: Bytes, at: int, end: int) -> int:
    """As `space`, for characters beyond ASCII."""
    byte = data[at]
    if byte == 0xC2 and at + 1 < end and (data[at + 1] == 0x85 or data[at + 1] == 0xA0):
        return 2
    if at + 2 < end:
        second, third = data[at + 1], data[at + 2]
        if byte == 0xE1 and second == 0x9A and third == 0x80:
            return 3
        if byte == 0xE2 and second == 0x80 and (third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF):
            return 3
        if byte == 0xE2 and second == 0x81 and third == 0x9F:
            return 3
        if byte == 0xE3 and second == 0x80 and third == 0x80:
            return 3
    return 0


@njit(cache=True, nogil=True)
def trimmed(data: Bytes, begin: int, end: int) -> int:
    """Where the text from `begin` to `end` ends without the white space at its end, as `str.rstrip` has it."""
    while end > begin:
        last = end - 1
        while last > begin and data[last] & 0xC0 == 0x80:  # to the first byte of the last character
            last -= 1
        if not space(data, last, end):
            break
        end = last
    return end


@njit(cache=True, nogil=True)
def _split(data: Bytes, offsets: I64, by_byte: Bytes, kinds: Bytes, located: bool) -> tuple[U64, I32, I64, I64]:
    """The hash, length in characters and, if wanted, end in bytes of every word; and where each text's words begin."""
    texts = offsets.size - 1
    # A word takes two bytes with what parts it from the next, the last of a text one. Memory is taken as it is filled.
    most = (offsets[texts] - offsets[0]) // 2 + texts
    hashes, lengths = np.empty(most, np.uint64), np.empty(most, np.int32)
    stops = np.empty(most if located else 0, np.int64)
    ends = np.zeros(texts + 1, np.int64)
    word = 0
    for text in range(texts):
        at, end = offsets[text], offsets[text + 1]
        while at < end:
            value, length, kind, width = _OFFSET, 0, LETTER, 1
            while at < end:
                byte = data[at]
                kind = np.int64(by_byte[byte])
                if kind == LETTER:  # most bytes
                    value = (value ^ np.uint64(byte)) * _PRIME  # FNV-1a
                    length += byte & 0xC0 != 0x80  # the first byte of a character
                    at += 1
                    continue
                width = 1
                if kind == LOOK:
                    kind, width = character(data, at, end, kinds)
                if kind == WHITE or (kind == ALONE and length):
                    break
                if kind == ALONE:
                    width = _clung(data, at + width, end, kinds) - at
                for place in range(at, at + width):
                    value = (value ^ np.uint64(data[place])) * _PRIME
                    length += data[place] & 0xC0 != 0x80
                at += width
                if kind == ALONE:
                    break
            if length:
                hashes[word], lengths[word] = mix(value), length
                if located:
                    stops[word] = at
                word += 1
            if kind == WHITE:
                at += width
        ends[text + 1] = word
    return hashes[:word], lengths[:word], stops[:word], ends


@njit(cache=True, nogil=True)
def _clung(data: Bytes, at: int, end: int, kinds: Bytes) -> int:
    """Where the marks and the punctuation end that begin at `at`."""
    while at < end:
        kind, width = character(data, at, end, kinds)
        if kind != MARK and kind != OTHER:
            break
        at += width
    return at


@njit(cache=True, nogil=True)
def _phrases(hashes: U64, offsets: I64, into: I64, size: int) -> U64:
    result = np.empty(into[-1], np.uint64)
    for text in range(offsets.size - 1):
        first, words = offsets[text], offsets[text + 1] - offsets[text]
        span = min(size, words)
        for position in range(into[text + 1] - into[text]):
            value = _OFFSET
            for word in range(first + position, first + position + span):
                value = mix(value ^ hashes[word]) + _PRIME
            result[into[text] + position] = mix(value)
    return result


@njit(cache=True, nogil=True)
def _ascii(data: Bytes, offsets: I64) -> I64:
    counts = np.zeros(offsets.size - 1, np.int64)
    for text in range(offsets.size - 1):
        count = 0
        for at in range(offsets[text], offsets[text + 1]):
            count += data[at] < 0x80
        counts[text] = count
    return counts


@njit(cache=True, nogil=True)
def _fold(data: Bytes, offsets: I64) -> tuple[Bytes, I64]:
    """The folded bytes, and where each text begins."""
    folded = np.empty(offsets[-1] - offsets[0] + 1, np.uint8)
    begins = np.zeros(offsets.size, np.int64)
    into = 0
    for text in range(offsets.size - 1):
        at, end, inside = offsets[text], offsets[text + 1], np.int64(0)
        while at < end:
            byte = _FOLDED[data[at]]
            if byte == _LOOK_UP:
                width = _wide_space(data, at, end)
                byte = _BLANK if width else data[at]
                at += max(width - 1, 0)
            # Overwritten by the next byte unless it is kept: a word's byte is, and the first blank after a word.
            folded[into] = byte
            word = np.int64(byte != _BLANK)
            into += word | inside
            inside = word
            at += 1
        into -= into > begins[text] and not inside
        begins[text + 1] = into
    return folded[:into], begins
