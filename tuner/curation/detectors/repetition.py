"""Repetition in a response as the project's first run measured it: of one word, and of one phrase.

Gopher's measures are in `gopher`.
"""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.checks.repetition import Repetition
from tuner.curation.columns import tally
from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.columns.text import COMMON_WORDS
from tuner.curation.columns.words import I32, I64, U64, Words, mix, word_hash

FROM_WORDS = 10
"""Shorter responses are not checked: one word of nine is already 11 %."""

# Covers phrases of four and five words too, which occur no more often than their first three words.
_PHRASE_WORDS = 3
# A content word has more characters than this and is not in COMMON_WORDS.
_SHORT = 2

_PRIME = np.uint64(0x100000001B3)


def check(batch: Batch, repetition: Repetition) -> Findings:
    """Finds responses in which one word or one phrase recurs too often.

    Args:
        batch: The rows.
        repetition: The limits; `gopher` is not read here.

    Returns:
        The reasons `repeated_word` and `repeated_phrase`, of whole rows only, and the score `repetition_ratio`: the
        most frequent content word's share of the response's words, null under 10 words.
    """
    share, repeats = measure(batch.response_words)
    looked_at = batch.response_words.counts >= FROM_WORDS
    return Findings(
        reasons={
            "repeated_word": batch.whole & looked_at & (share > repetition.max_word_share),
            "repeated_phrase": batch.whole & looked_at & (repeats > repetition.max_phrase_repeats),
        },
        scores={"repetition_ratio": pl.Series(np.where(looked_at, share, np.nan), nan_to_null=True)},
    )


def measure(words: Words) -> tuple[NDArray[np.float64], I64]:
    """Measures the share of the most frequent word and the count of the most frequent phrase of every text.

    Args:
        words: Of normalised texts.

    Returns:
        The share of the most frequent word longer than two characters and not in `COMMON_WORDS`, and the count of the
        most frequent phrase of three words. Both of shape (texts,), and 0 for fewer than 10 words.
    """
    return _measure(words.hashes, words.lengths, words.offsets, _common())


def _common() -> U64:
    return np.array([word_hash(word) for word in sorted(COMMON_WORDS)], np.uint64)


@njit(cache=True, nogil=True)
def _measure(hashes: U64, lengths: I32, offsets: I64, common: U64) -> tuple[NDArray[np.float64], I64]:
    texts = offsets.size - 1
    share, repeats = np.zeros(texts, np.float64), np.zeros(texts, np.int64)
    longest = 0
    for text in range(texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    into = tally.table(longest)
    for text in range(texts):
        begin, end = offsets[text], offsets[text + 1]
        if end - begin < FROM_WORDS:
            continue
        slots = tally.slots_for(end - begin)
        most = 0
        for word in range(begin, end):
            if lengths[word] <= _SHORT:
                continue
            times = tally.count(into, slots, 2 * text + 1, hashes[word])
            if times > most and not _among(common, hashes[word]):
                most = times
        share[text] = most / (end - begin)
        most = 0
        for word in range(begin, end - _PHRASE_WORDS + 1):
            phrase = mix(hashes[word])
            for other in range(word + 1, word + _PHRASE_WORDS):
                phrase = mix(phrase * _PRIME ^ hashes[other])
            most = max(most, tally.count(into, slots, 2 * text + 2, phrase))
        repeats[text] = most
    return share, repeats


@njit(cache=True, nogil=True, inline="always")
def _among(hashes: U64, wanted: np.uint64) -> bool:
    member = False
    for hash_ in hashes:
        if hash_ == wanted:
            member = True
    return member
