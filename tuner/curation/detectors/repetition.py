"""Repetition in a response: of one word and of one phrase.

The project's first run measured the share of a word, and counted how often a phrase recurs. That count only chooses the
responses that are weighed: a phrase that occurs four times is a loop in 40 words and normal in 400. Such a response
fails if recurring phrases are too large a share of its prose (`prose`), or if it holds a run (`loops`). Any response
fails that says too much a second time (`again`). Gopher's measures are in `gopher`.
"""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.checks.repetition import Repetition
from tuner.curation.columns import tally
from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.columns.text import COMMON_WORDS, FUNCTION_WORDS
from tuner.curation.columns.words import I32, I64, U64, Words, hashes_of, mix
from tuner.curation.detectors import again, loops, prose

FROM_WORDS = 10
"""Shorter responses are not checked: one word of nine is already 11 %."""

SHORT_WORDS = 50
"""A text of n words may have `1 + 50 / n` times the share of a long one, as a few repeats are much of a short text."""

# Covers phrases of four and five words too, which occur no more often than their first three words.
_PHRASE_WORDS = 3
_PHRASE_CHARACTERS = 6
"""A phrase that is weighed has so many at least: where a word is a character, three are a word or two of English."""
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
    share, repeats, said = measure(batch.response_words)
    looked_at = batch.response_words.counts >= FROM_WORDS
    recurring = np.flatnonzero(looked_at & (repeats > repetition.max_phrase_repeats))
    texts = batch.response.gather(recurring)
    fails = np.zeros(len(batch), np.bool_)
    fails[recurring] = repetition.max_phrase_share == 0 or (
        (phrase_ratios(prose.words(texts), repetition) > 1) | loops.found(texts)
    )
    if repetition.max_phrase_share:
        fails |= again.in_lists(batch.response)
        often = said > again.SHARE / 2 * (batch.response_words.counts + again.SHORT_WORDS)
        fails |= again.in_phrases(batch, looked_at & often)
    return Findings(
        reasons={
            "repeated_word": batch.whole & looked_at & (share > repetition.max_word_share),
            "repeated_phrase": batch.whole & fails,
        },
        scores={"repetition_ratio": pl.Series(np.where(looked_at, share, np.nan), nan_to_null=True)},
    )


def check_thoughts(batch: Batch) -> Findings:
    """Finds thoughts that run in a loop (`loops`); they say much twice while they weigh it, so nothing else counts.

    Returns:
        The reason `looping_thoughts`.
    """
    fails = np.zeros(len(batch), np.bool_) if batch.thoughts is None else loops.found(batch.thoughts)
    return Findings({"looping_thoughts": fails})


def phrase_ratios(prose_words: Words, repetition: Repetition) -> NDArray[np.float64]:
    """The share of each text's words in phrases that recur more often than allowed, over the share allowed.

    A text of n words may have `max_phrase_share * (1 + SHORT_WORDS / n)`. Phrases of function words alone do not count.
    """
    counts = prose_words.counts
    lengths = prose_words.lengths
    of_function = hashes_of(FUNCTION_WORDS)
    covered = _covered(prose_words.hashes, lengths, prose_words.offsets, of_function, repetition.max_phrase_repeats)
    allowed = repetition.max_phrase_share * (counts + SHORT_WORDS)
    return np.where(counts >= FROM_WORDS, covered / allowed, 0.0)


def measure(words: Words) -> tuple[NDArray[np.float64], I64, I64]:
    """Measures the share of the most frequent word, the count of the most frequent phrase and the phrases said again.

    Args:
        words: Of normalised texts.

    Returns:
        The share of the most frequent word longer than two characters and not in `COMMON_WORDS`, the count of the most
        frequent phrase of three words, and how many phrases were there before. All of shape (texts,), and 0 for fewer
        than 10 words.
    """
    return _measure(words.hashes, words.lengths, words.offsets, hashes_of(COMMON_WORDS))


@njit(cache=True, nogil=True)
def _covered(hashes: U64, lengths: I32, offsets: I64, function: U64, most: int) -> I64:
    """How many words of each text are in a phrase that occurs more than `most` times.

    A phrase is the fewest words that are three and have six characters.
    """
    texts = offsets.size - 1
    covered = np.zeros(texts, np.int64)
    longest = 0
    for text in range(texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    phrase, stops = np.empty(longest, np.uint64), np.empty(longest, np.int64)
    into, known = tally.table(longest), tally.table(function.size)
    places = tally.slots_for(function.size)
    for word in function:
        tally.count(known, places, 1, word)
    for text in range(texts):
        begin, end = offsets[text], offsets[text + 1]
        slots = tally.slots_for(end - begin)
        phrases = 0
        for word in range(begin, end - _PHRASE_WORDS + 1):
            value, stop, characters = _phrase(hashes, word), word + _PHRASE_WORDS, 0
            for other in range(word, stop):
                characters += lengths[other]
            while characters < _PHRASE_CHARACTERS and stop < end:
                value = mix(value * _PRIME ^ hashes[stop])
                characters += lengths[stop]
                stop += 1
            if characters < _PHRASE_CHARACTERS:
                break
            phrase[phrases], stops[phrases] = value, stop
            tally.count(into, slots, text + 1, value)
            phrases += 1
        until = begin
        for number in range(phrases):
            word, stop = begin + number, stops[number]
            if tally.counted(into, slots, text + 1, phrase[number]) <= most:
                continue
            told = False
            for other in range(word, stop):
                told |= not tally.counted(known, places, 1, hashes[other])
            if told:
                covered[text] += stop - max(word, until)
                until = stop
    return covered


@njit(cache=True, nogil=True, inline="always")
def _phrase(hashes: U64, at: int) -> np.uint64:
    phrase = mix(hashes[at])
    for other in range(at + 1, at + _PHRASE_WORDS):
        phrase = mix(phrase * _PRIME ^ hashes[other])
    return phrase


@njit(cache=True, nogil=True)
def _measure(hashes: U64, lengths: I32, offsets: I64, common: U64) -> tuple[NDArray[np.float64], I64, I64]:
    texts = offsets.size - 1
    share, repeats, again = np.zeros(texts, np.float64), np.zeros(texts, np.int64), np.zeros(texts, np.int64)
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
        most, said = 0, 0
        for word in range(begin, end - _PHRASE_WORDS + 1):
            times = tally.count(into, slots, 2 * text + 2, _phrase(hashes, word))
            most = max(most, times)
            said += times > 1
        repeats[text], again[text] = most, said
    return share, repeats, again


@njit(cache=True, nogil=True, inline="always")
def _among(hashes: U64, wanted: np.uint64) -> bool:
    member = False
    for hash_ in hashes:
        if hash_ == wanted:
            member = True
    return member
