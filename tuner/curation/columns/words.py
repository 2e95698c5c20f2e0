"""The words of many texts as hashes, for every check that counts or compares phrases.

A column of texts becomes one array of word hashes, in which a phrase is a slice. The loops over it are compiled and
release the interpreter's lock, so that threads process shards in parallel.

For a text of 217 words `split` takes 12 us, `phrases` 6 and `folded` 6. Polars splits and hashes in 8, but its hashes
change between versions, and signatures made of them are stored; NumPy makes phrases in 6, but needs more code for
short texts and ends of texts; Polars folds in 22.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
# The class of each byte: 0 in a word, 1 white space, 2 the first byte of possible white space. A table, because a
# mispredicted branch at every byte takes ten times as long.
_CLASSES = np.zeros(256, np.uint8)
_CLASSES[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32]] = 1
_CLASSES[[0xC2, 0xE1, 0xE2, 0xE3]] = 2
_LOWER = np.frombuffer(bytes(range(256)).lower(), np.uint8)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)


@dataclass(frozen=True)
class Words:
    """The words of a column of texts, split at white space.

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
    """Splits a column of texts at white space as `str.split` does."""
    data, offsets = utf8(texts)
    ends = _count(data, offsets)
    hashes, lengths = _fill(data, offsets, ends)
    return Words(hashes, lengths, ends)


def word_hash(word: str) -> int:
    """The hash that `split` gives a word."""
    return int(split(pl.Series([word])).hashes[0])


def phrases(words: Words, size: int) -> tuple[U64, I64]:
    """The hashes of every text's phrases of `size` words; a shorter text, unless empty, is one phrase.

    Returns:
        The hashes, shape (phrases,), and the offsets of the texts within them, shape (texts + 1,).
    """
    counts = words.counts
    numbers = np.where(counts >= size, counts - size + 1, np.minimum(counts, 1))
    offsets = np.concatenate([[0], np.cumsum(numbers)]).astype(np.int64)
    return _phrases(words.hashes, words.offsets, offsets, size), offsets


def utf8(texts: pl.Series) -> tuple[NDArray[np.uint8], I64]:
    """The bytes of a column of texts, and where each begins: shapes (bytes,) and (texts + 1,)."""
    array = texts.cast(pl.String).fill_null("").rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    begins = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8), begins


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
def space(data: NDArray[np.uint8], at: int, end: int) -> int:
    """The length in bytes of the white space character (as of `str.isspace`) at `at`, 0 if it is none."""
    class_ = int(_CLASSES[data[at]])
    return class_ if class_ < 2 else _wide_space(data, at, end)


@njit(cache=True, nogil=True)
def _wide_space(data: NDArray[np.uint8], at: int, end: int) -> int:
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
def trimmed(data: NDArray[np.uint8], begin: int, end: int) -> int:
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
def _count(data: NDArray[np.uint8], offsets: I64) -> I64:
    texts = offsets.size - 1
    ends = np.zeros(texts + 1, np.int64)
    total = 0
    for text in range(texts):
        at, end, inside = offsets[text], offsets[text + 1], 0
        while at < end:
            white, step = np.int64(_CLASSES[data[at]]), 1
            if white == 2:
                white = _wide_space(data, at, end)
                white, step = min(white, 1), max(white, 1)
            total += (1 - white) & (1 - inside)
            inside = 1 - white
            at += step
        ends[text + 1] = total
    return ends


@njit(cache=True, nogil=True)
def _fill(data: NDArray[np.uint8], offsets: I64, ends: I64) -> tuple[U64, I32]:
    hashes = np.empty(ends[-1], np.uint64)
    lengths = np.empty(ends[-1], np.int32)
    word = 0
    for text in range(offsets.size - 1):
        at, end = offsets[text], offsets[text + 1]
        value, length = _OFFSET, 0
        while at < end:
            byte = data[at]
            white, step = np.int64(_CLASSES[byte]), 1
            if white == 2:
                white = _wide_space(data, at, end)
                white, step = min(white, 1), max(white, 1)
            if not white:
                value = (value ^ np.uint64(byte)) * _PRIME  # FNV-1a
                length += byte & 0xC0 != 0x80  # the first byte of a character
            elif length:
                hashes[word], lengths[word] = mix(value), length
                word += 1
                value, length = _OFFSET, 0
            at += step
        if length:
            hashes[word], lengths[word] = mix(value), length
            word += 1
    return hashes, lengths


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
def _ascii(data: NDArray[np.uint8], offsets: I64) -> I64:
    counts = np.zeros(offsets.size - 1, np.int64)
    for text in range(offsets.size - 1):
        count = 0
        for at in range(offsets[text], offsets[text + 1]):
            count += data[at] < 0x80
        counts[text] = count
    return counts


@njit(cache=True, nogil=True)
def _fold(data: NDArray[np.uint8], offsets: I64) -> tuple[NDArray[np.uint8], I64]:
    """The folded bytes, and where each text begins."""
    folded = np.empty(offsets[-1] - offsets[0] + 1, np.uint8)
    begins = np.zeros(offsets.size, np.int64)
    into = 0
    for text in range(offsets.size - 1):
        at, end, inside = offsets[text], offsets[text + 1], 0
        while at < end:
            white, step = np.int64(_CLASSES[data[at]]), 1
            if white == 2:
                white = _wide_space(data, at, end)
                white, step = min(white, 1), max(white, 1)
            # Overwritten by the next byte unless it is kept: a word's byte is, and the first blank after a word.
            folded[into] = 32 if white else _LOWER[data[at]]
            into += (1 - white) | inside
            inside = 1 - white
            at += step
        into -= into > begins[text] and not inside
        begins[text + 1] = into
    return folded[:into], begins
