"""The quality score: six parts between 0 and 1, weighted.

    0.15 length + 0.10 language + 0.20 repetition + 0.15 format + 0.15 toxicity + 0.25 content

Formulas, weights and word lists are those of the project's first run, so that scores can be compared. Words are matched
at word boundaries. They are English: in other languages the language part is 1. A row that a rule rejects gets a low
value for that part, so the score also orders rejected rows.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.checks.quality import Quality
from tuner.curation.columns import layout, tally
from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.columns.patterns import Flags, has
from tuner.curation.columns.text import ENGLISH_WORDS
from tuner.curation.columns.words import I64, U64, Words, hashes_of, split
from tuner.curation.detectors.form import ascii_ratio
from tuner.curation.detectors.harmful import is_harmful
from tuner.curation.detectors.language import is_english

Shares = NDArray[np.float64]

WEIGHTS = {"length": 0.15, "language": 0.10, "repetition": 0.20, "format": 0.15, "toxicity": 0.15, "content": 0.25}

IDEAL_WORDS = 200

# Matched against normalised text; boundaries are those of ASCII words.
_B = r"(?-u:\b)"
_ACTION = rf"{_B}(?:explain|describe|how|what|why|write|create){_B}"


def check(batch: Batch, quality: Quality, reasons: Mapping[str, Flags]) -> Findings:
    """Scores every row that has both texts.

    Args:
        batch: The rows.
        quality: `minimum` is the lowest score that passes.
        reasons: The flags of `form.check` and `repetition.check`, of which `instruction_pattern`, `response_pattern`,
            `refusal`, `repeated_word` and `repeated_phrase` are read.

    Returns:
        The reason `low_quality`, and the scores `quality` and, by part, `quality_*`, null where a text is empty.
    """
    parts = {
        "length": np.maximum(0.5, 1 - np.abs(batch.response_words.counts - IDEAL_WORDS) / 500),
        "language": np.where(
            is_english(batch), np.minimum(1.0, 0.5 * english_ratio(batch) + 0.5 * ascii_ratio(batch) + 0.5), 1.0
        ),
        "repetition": np.where(reasons["repeated_word"], 0.3, np.where(reasons["repeated_phrase"], 0.2, 1.0)),
        "format": _format(batch, reasons),
        "toxicity": np.where(batch.cached(is_harmful), 0.0, 1.0),
        "content": _content(batch),
    }
    score = sum((weight * parts[part] for part, weight in WEIGHTS.items()), np.zeros(len(batch)))
    columns = {"quality": score, **{f"quality_{part}": values for part, values in parts.items()}}
    return Findings(
        reasons={"low_quality": batch.whole & (score < quality.minimum)},
        scores={
            name: pl.Series(np.where(batch.whole, values, np.nan), nan_to_null=True) for name, values in columns.items()
        },
    )


def english_ratio(batch: Batch) -> Shares:
    """The share of `ENGLISH_WORDS` among the words of both texts, 0 if there is none, shape (rows,)."""
    words = batch.instruction_words.counts + batch.response_words.counts
    return (_english(batch.instruction_words) + _english(batch.response_words)) / np.maximum(words, 1)


def _format(batch: Batch, reasons: Mapping[str, Flags]) -> Shares:
    """1; 0.7 without a final mark; 0.1 for a low-quality pattern in the response; 0 for one in the instruction.

    A refusal gives 0 too. Final marks are those of English, so a text in another language needs none.
    """
    ending = np.where(layout.closed(batch.response) | ~is_english(batch), 1.0, 0.7)
    answer = np.where(reasons["response_pattern"], 0.1, np.where(reasons["refusal"], 0.0, ending))
    return np.where(reasons["instruction_pattern"], 0.0, answer)


def _content(batch: Batch) -> Shares:
    """Clarity of the instruction times variety of the response, and a little for structure; at most 1.

    The first run also rejected rows below 0.4. The product is at least 0.5, so that rule is left out here.
    """
    asks = batch.instruction.str.contains("?", literal=True).to_numpy()
    clarity = 1 + 0.1 * asks + 0.1 * has(batch.normal_instruction, _ACTION)
    # As written, not normalised: 'The' and 'the' are two words in this formula.
    words = split(batch.response)
    variety = 0.5 + 0.5 * _distinct(words.hashes, words.offsets) / np.maximum(words.counts, 1)
    return np.minimum(1.0, clarity * variety + 0.1 * layout.structured(batch.response))


def _english(words: Words) -> I64:
    return _number_among(words.hashes, words.offsets, hashes_of(ENGLISH_WORDS))


@njit(cache=True, nogil=True)
def _number_among(hashes: U64, offsets: I64, wanted: U64) -> I64:
    """How many words of every text are among the wanted ones."""
    into = tally.table(8 * wanted.size)
    slots = tally.slots_for(8 * wanted.size)
    for word in wanted:
        tally.count(into, slots, 1, word)
    counts = np.zeros(offsets.size - 1, np.int64)
    for text in range(offsets.size - 1):
        for word in range(offsets[text], offsets[text + 1]):
            counts[text] += tally.counted(into, slots, 1, hashes[word])
    return counts


@njit(cache=True, nogil=True)
def _distinct(hashes: U64, offsets: I64) -> I64:
    """How many different words every text has."""
    counts = np.zeros(offsets.size - 1, np.int64)
    longest = 0
    for text in range(offsets.size - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    into = tally.table(longest)
    for text in range(offsets.size - 1):
        slots = tally.slots_for(offsets[text + 1] - offsets[text])
        for word in range(offsets[text], offsets[text + 1]):
            counts[text] += tally.count(into, slots, text + 1, hashes[word]) == 1
    return counts
