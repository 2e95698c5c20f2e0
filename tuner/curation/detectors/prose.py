"""What of a response is prose: its words without marks, digits and quotations, without code, tables and formulas.

There repetition is normal: a table repeats its cells, a program its loops, a matrix its commands. A line is no prose if
it stands in a fenced block, begins with four blanks, a tab, `|`, `<`, `$` or a backslash, ends with `;`, `{` or `}`, or
holds an equals sign. A quotation is what stands within a line between two marks `"`, or between the marks of a pair
such as those of Chinese: what is talked about is named again and again. Of prose, words of one ASCII letter and those
behind a backslash are left out too.
"""

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns import plain_words
from tuner.curation.columns.batch import Batch
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import I64, Words, utf8

Bytes = NDArray[np.uint8]

_LINE, _BLANK, _TAB, _FENCE, _SLASH, _EQUALS = (np.uint8(ord(character)) for character in "\n \t`\\=")
_BEGINS, _ENDS = (np.frombuffer(marks, np.uint8) for marks in (b"|<$\\", b";{}"))
_QUOTE = np.uint8(ord('"'))
# The three bytes of the opening mark, and the last of the closing one, which shares the others.
_PAIRS = np.array(
    [
        [*opens.encode(), closes.encode()[-1]]
        for opens, closes in ("\u201c\u201d", "\u300c\u300d", "\u300e\u300f", "\u300a\u300b")
    ],
    np.uint8,
)
_INDENT = 4
# Letters of ASCII; everything else there is a mark or a digit.
_LETTERS = np.array([chr(byte).isalpha() and byte < 0x80 for byte in range(256)])


def words(texts: pl.Series) -> Words:
    """The words of the prose of a column of texts, in the form in which texts are compared."""
    data, offsets = utf8(texts)
    blanked = _blanked(data, offsets)
    begins = np.ascontiguousarray(offsets - offsets[0])
    array = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(begins), pa.py_buffer(blanked))
    return plain_words.split(normalised(pl.Series(texts.name, array)))


def of_responses(batch: Batch) -> Words:
    """The words of the prose of the responses."""
    return words(batch.response)


@njit(cache=True, nogil=True, inline="always")
def _one_of(some: Bytes, byte: int) -> bool:
    equal = False
    for one in some:
        equal |= one == byte
    return equal


@njit(cache=True, nogil=True)
def _blanked(data: Bytes, offsets: I64) -> Bytes:
    """The bytes with blanks for all that is no prose."""
    first = offsets[0]
    into = np.full(offsets[-1] - first, _BLANK, np.uint8)
    for text in range(offsets.size - 1):
        at, end, fenced = offsets[text], offsets[text + 1], False
        while at < end:
            until = at
            equals = False
            while until < end and data[until] != _LINE:
                equals |= data[until] == _EQUALS
                until += 1
            begin, last = at, until
            while begin < last and (data[begin] == _BLANK or data[begin] == _TAB):
                begin += 1
            while last > begin and data[last - 1] <= _BLANK:
                last -= 1
            if begin + 2 < last and data[begin] == _FENCE and data[begin + 1] == _FENCE and data[begin + 2] == _FENCE:
                fenced = not fenced
            elif begin < last and not fenced and not equals:
                indented = data[at] == _TAB or begin - at >= _INDENT
                if not (indented or _one_of(_BEGINS, int(data[begin])) or _one_of(_ENDS, int(data[last - 1]))):
                    _copy(data, begin, last, into, first)
            at = until + 1
    return into


@njit(cache=True, nogil=True)
def _copy(data: Bytes, begin: int, end: int, into: Bytes, first: int) -> None:
    at = begin
    while at < end:
        byte = data[at]
        if not _LETTERS[byte]:
            behind = _quoted(data, at, end) if byte == _QUOTE or byte >= 0xE2 else at
            if behind == at:
                if byte >= 0x80:
                    into[at - first] = byte
                behind = at + 1
            at = behind
            continue
        until = at
        while until < end and _LETTERS[data[until]]:
            until += 1
        alone = until - at == 1 and (until == end or data[until] < 0x80) and (at == begin or data[at - 1] < 0x80)
        command = at > begin and data[at - 1] == _SLASH
        if not alone and not command:
            for place in range(at, until):  # assigning a slice takes seconds to compile
                into[place - first] = data[place]
        at = until


@njit(cache=True, nogil=True, inline="always")
def _quoted(data: Bytes, at: int, end: int) -> int:
    """Where the quotation ends that begins at `at`, or `at` if none does."""
    if data[at] == _QUOTE:
        until = at + 1
        while until < end and data[until] != _QUOTE:
            until += 1
        return until + 1 if until < end else at
    for pair in range(_PAIRS.shape[0]):
        if at + 2 < end and data[at] == _PAIRS[pair, 0] and data[at + 1] == _PAIRS[pair, 1]:
            if data[at + 2] != _PAIRS[pair, 2]:
                continue
            for until in range(at + 3, end - 2):
                if data[until] == data[at] and data[until + 1] == data[at + 1] and data[until + 2] == _PAIRS[pair, 3]:
                    return until + 3
    return at
