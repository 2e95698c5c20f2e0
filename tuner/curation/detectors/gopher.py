"""Repetition in a response as Gopher measured it: of lines and paragraphs, of one phrase, of all phrases.

The thirteen measures and limits are those of table A1 of Rae et al., Scaling Language Models: Methods, Analysis and
Insights from Training Gopher (arXiv 2112.11446), section A.1.1. What the table leaves open is defined here, and not
always as in datatrove's `GopherRepetitionFilter`, the usual implementation:

- The limits were made for pages of thousands of words. Of a response of n words `1 + 400 / n` times as much may be
  repeats: a sentence said again is a tenth of 100 words, a refrain a third of a song. Of lines and paragraphs at most 3
  times as much.
- Responses of fewer than 50 words, Gopher's minimum for a document, are not checked.
- Words of phrases are those of the response's prose (`prose`): without marks, digits, code, tables and formulas.
- A share is of the characters in the words, the lines or the paragraphs; white space between them is not counted.
  datatrove counts it in the whole, and in some of the measures.
- A character counts once, as in the paper, even if a phrase overlaps itself. datatrove multiplies the most
  frequent phrase's length by its count (1.4 of 'ha ha ha ha' is 'ha ha'), and skips a repeated phrase as a whole,
  which omits the rest of a longer one.
- The most frequent phrase occurs at least twice; ties go to the one with most characters, then to the first.
  datatrove takes the first, even if it occurs once.
- A line or paragraph counts without the white space at its ends, and if it holds a letter or digit: code repeats
  brackets and tables repeat rules, which is no repetition of content. datatrove counts all.
- The share of lines, or paragraphs, is checked from four on: of three, one repeated already makes a third.
"""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.checks.repetition import Repetition
from tuner.curation.columns import tally
from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.columns.words import I32, I64, U64, Words, mix, space, trimmed, utf8
from tuner.curation.detectors import prose

LINES, LINE_CHARACTERS = 0.30, 0.20
"""Highest share of duplicate lines, and of paragraphs, and of the characters in them."""
TOP_PHRASES = (0.20, 0.18, 0.16)
"""Highest share of characters in the most frequent phrase of 2, 3 and 4 words."""
REPEATED_PHRASES = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)
"""Highest share of characters in phrases of 5 to 10 words that occurred before."""

FROM_WORDS = 50
SHORT_WORDS = 400
WIDEST = 3
"""The limits on lines and paragraphs are at most so much wider: nine tenths of the lines, three fifths of the text."""
FROM_LINES = 4

# By words of the phrase, from two.
_LIMITS = np.array(TOP_PHRASES + REPEATED_PHRASES)
_TOP_UP_TO = 4
_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_LINE = np.uint8(10)
# Letters and digits; characters beyond ASCII count as such.
_TEXT = np.array([byte >= 0x80 or chr(byte).isalnum() for byte in range(256)])

Flags = NDArray[np.bool_]
Ratios = NDArray[np.float64]


def check(batch: Batch, repetition: Repetition) -> Findings:
    """Finds responses that repeat themselves, if the recipe asks for it.

    Args:
        batch: The rows.
        repetition: `gopher` says whether to check.

    Returns:
        The reasons `repeated_lines`, `frequent_ngram` and `repeated_ngrams`, of whole rows only. The scores
        `gopher_lines`, `gopher_top_ngram` and `gopher_repeated_ngrams`: the largest ratio of
        measured to allowed over the group's measures; above 1 a response fails. Null where it was not checked.
    """
    words, told = batch.response_words.counts, batch.cached(prose.of_responses)
    looked_at = (words >= FROM_WORDS) & repetition.gopher
    top, repeated = phrases(told, looked_at & (told.counts >= FROM_WORDS))
    groups = (
        (
            "repeated_lines",
            "gopher_lines",
            lines(batch.response, looked_at) / np.minimum(WIDEST, 1 + SHORT_WORDS / np.maximum(words, 1)),
        ),
        ("frequent_ngram", "gopher_top_ngram", top / (1 + SHORT_WORDS / np.maximum(told.counts, 1))),
        ("repeated_ngrams", "gopher_repeated_ngrams", repeated / (1 + SHORT_WORDS / np.maximum(told.counts, 1))),
    )
    return Findings(
        reasons={reason: batch.whole & (ratios > 1) for reason, _, ratios in groups},
        scores={score: pl.Series(np.where(looked_at, ratios, np.nan), nan_to_null=True) for _, score, ratios in groups},
    )


def lines(texts: pl.Series, looked_at: Flags) -> Ratios:
    """Measures duplicate lines and paragraphs.

    Args:
        texts: As they were written, shape (texts,).
        looked_at: Which of them to measure, shape (texts,).

    Returns:
        The largest ratio of measured to the limit of a long text, 0 for the others, shape (texts,).
    """
    return _lines(*utf8(texts), looked_at)


def phrases(words: Words, looked_at: Flags) -> tuple[Ratios, Ratios]:
    """Measures the most frequent phrases and the repeated ones.

    Args:
        words: Of normalised texts.
        looked_at: Which of them to measure, shape (texts,).

    Returns:
        For the most frequent phrases, and for the repeated ones, the largest ratio of measured to the limit of a long
        text, 0 for the other texts, shape (texts,) each.
    """
    return _phrases(words.hashes, words.lengths, words.offsets, looked_at, _LIMITS)


@njit(cache=True, nogil=True)
def _phrases(hashes: U64, lengths: I32, offsets: I64, looked_at: Flags, limits: Ratios) -> tuple[Ratios, Ratios]:
    texts = offsets.size - 1
    top, repeated = np.zeros(texts, np.float64), np.zeros(texts, np.float64)
    longest = 0
    for text in range(texts):
        if looked_at[text]:
            longest = max(longest, offsets[text + 1] - offsets[text])
    into = tally.table(longest)
    phrase, ends = np.empty(longest, np.uint64), np.zeros(longest + 1, np.int64)
    for text in range(texts):
        if not looked_at[text]:
            continue
        begin, words = int(offsets[text]), int(offsets[text + 1] - offsets[text])
        for word in range(words):
            ends[word + 1] = ends[word] + lengths[begin + word]
            phrase[word] = mix(hashes[begin + word])
        slots = tally.slots_for(words)
        for index in range(limits.size):
            size = index + 2
            for at in range(words - size + 1):
                phrase[at] = mix(phrase[at] * _PRIME ^ hashes[begin + at + size - 1])
            stamp = text * limits.size + index + 1
            most, characters, best = 1, 0, -1
            covered, covered_to = 0, 0
            for at in range(words - size + 1):
                times = tally.count(into, slots, stamp, phrase[at])
                if times == 1:
                    continue
                length = ends[at + size] - ends[at]
                if times > most or (times == most and length > characters):
                    most, characters, best = times, length, at
                covered += ends[at + size] - ends[max(at, covered_to)]
                covered_to = at + size
            if best < 0:
                break  # if no phrase recurs, no longer one does
            if size <= _TOP_UP_TO:
                covered, covered_to = 0, 0
                for at in range(words - size + 1):
                    if phrase[at] == phrase[best]:
                        covered += ends[at + size] - ends[max(at, covered_to)]
                        covered_to = at + size
                top[text] = max(top[text], covered / ends[words] / limits[index])
            else:
                repeated[text] = max(repeated[text], covered / ends[words] / limits[index])
    return top, repeated


@njit(cache=True, nogil=True)
def _lines(data: NDArray[np.uint8], offsets: I64, looked_at: Flags) -> Ratios:
    ratios = np.zeros(offsets.size - 1, np.float64)
    longest = 0
    for text in range(offsets.size - 1):
        if looked_at[text]:
            breaks = 0
            for at in range(offsets[text], offsets[text + 1]):
                breaks += data[at] == _LINE
            longest = max(longest, breaks + 1)
    seen_lines, seen_paragraphs = tally.table(longest), tally.table(longest)
    slots = tally.slots_for(longest)
    # Lines and paragraphs: how many, how many of them duplicates, and the characters of both.
    of_lines, of_paragraphs = np.zeros(4, np.int64), np.zeros(4, np.int64)
    for text in range(offsets.size - 1):
        if not looked_at[text]:
            continue
        of_lines[:], of_paragraphs[:] = 0, 0
        at, end = offsets[text], offsets[text + 1]
        paragraph, characters, has_text = _OFFSET, 0, False
        while at <= end:
            until = at
            while until < end and data[until] != _LINE:
                until += 1
            line, length, line_has_text = _line(data, at, until)
            if line_has_text:
                _add(of_lines, tally.count(seen_lines, slots, text + 1, line), length)
            if length:
                paragraph, characters, has_text = (
                    mix(paragraph ^ line) + _PRIME,
                    characters + length,
                    has_text or line_has_text,
                )
            if until == end or not length:
                if has_text:
                    _add(of_paragraphs, tally.count(seen_paragraphs, slots, text + 1, mix(paragraph)), characters)
                paragraph, characters, has_text = _OFFSET, 0, False
            at = until + 1
        ratios[text] = max(_ratio(of_lines), _ratio(of_paragraphs))
    return ratios


@njit(cache=True, nogil=True)
def _line(data: NDArray[np.uint8], at: int, end: int) -> tuple[np.uint64, int, bool]:
    """A line's hash and characters without the white space around it, and whether it has a letter or digit."""
    while at < end:
        white = space(data, at, end)
        if not white:
            break
        at += white
    value, characters, has_text = _OFFSET, 0, False
    for place in range(at, trimmed(data, at, end)):
        byte = data[place]
        value = (value ^ np.uint64(byte)) * _PRIME
        characters += byte & 0xC0 != 0x80
        has_text = has_text or bool(_TEXT[byte])
    return mix(value), characters, has_text


@njit(cache=True, nogil=True, inline="always")
def _add(counts: I64, times: int, characters: int) -> None:
    counts[0] += 1
    counts[2] += characters
    if times > 1:
        counts[1] += 1
        counts[3] += characters


@njit(cache=True, nogil=True)
def _ratio(counts: I64) -> float:
    if not counts[1]:
        return 0.0
    ratio = counts[3] / counts[2] / LINE_CHARACTERS
    return max(ratio, counts[1] / counts[0] / LINES) if counts[0] >= FROM_LINES else ratio
