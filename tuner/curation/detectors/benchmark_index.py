"""An index of benchmark prompts: their phrases by hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from tuner.curation.columns import plain_words
from tuner.curation.columns.batch import Flags
from tuner.curation.columns.ngrams import sequences_of
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import I64, U64, Words, phrases
from tuner.curation.detectors.prompts import Prompt

GRAM = 8
"""Words in a phrase for the coverage of a prompt."""
SHINGLE = 5
"""Words in a phrase for near duplicates."""
TEMPLATE = 100
"""A phrase of GRAM words that more prompts share is a template and ignored."""

_Phrases = tuple[U64, I64, I64]
"""Hashes, owners and places of phrases, sorted by hash and place."""


@dataclass(frozen=True)
class Grams:
    """The phrases of all prompts, to be looked up by hash.

    Attributes:
        hashes: Sorted, shape (phrases,).
        places: The first word of each phrase within `Benchmarks.words`, shape (phrases,).
        owners: The prompt of each phrase, shape (phrases,).
        first: Which phrases are the first occurrence in their prompt, shape (phrases,).
        sizes: How many different phrases each prompt has, shape (prompts,).
        fewest: The smallest size of a prompt that contains the phrase, shape (phrases,).
    """

    hashes: U64
    places: I64
    owners: I64
    first: Flags
    sizes: I64
    fewest: I64

    def known(self, hashes: U64) -> tuple[I64, I64]:
        """Looks up hashes: the sorted indices of those in the index, and the first phrase of each."""
        known = pl.Series(hashes).is_in(pl.Series(self.hashes).implode())
        at = known.arg_true().to_numpy().astype(np.int64)
        return at, np.searchsorted(self.hashes, hashes[at])


@dataclass(frozen=True)
class Benchmarks:
    """The prompts that rows are compared with.

    Attributes:
        similarity: The lowest Jaccard similarity of a near instruction.
        names: The name of each prompt.
        words: Hashes of all prompts' words, one prompt after another.
        offsets: Where each prompt begins in `words`, shape (prompts + 1,).
        grams: Their phrases of 8 words, all occurrences; a shorter prompt is one phrase.
        shingles: Their distinct phrases of 5 words.
    """

    similarity: float
    names: Sequence[str]
    words: U64
    offsets: I64
    grams: Grams
    shingles: Grams


def index(prompts: Sequence[Prompt], similarity: float) -> Benchmarks:
    """Indexes prompts; of those with the same words only the first is kept."""
    normal = normalised(pl.Series([prompt.text for prompt in prompts], dtype=pl.String))
    whole = _whole(plain_words.split(normal))
    table = pl.DataFrame({"name": [prompt.name for prompt in prompts], "normal": normal, "whole": whole})
    table = table.filter(pl.col("whole").is_not_null()).unique("whole", keep="first", maintain_order=True)
    words = plain_words.split(table["normal"])
    shorter = sequences_of(words, SHINGLE)
    grams, shingles = _sorted(words, phrases(words, GRAM)), _sorted(words, (shorter.values, shorter.offsets))
    return Benchmarks(
        similarity=similarity,
        names=table["name"].to_list(),
        words=words.hashes,
        offsets=words.offsets,
        grams=_grams(len(table), grams, ~_is_template(grams)),
        shingles=_grams(len(table), shingles, _is_first(shingles)),
    )


def _whole(words: Words) -> pl.Series:
    """A hash of all words of each text, null if it has none."""
    longest = int(words.counts.max(initial=1))
    hashes, offsets = phrases(words, longest)
    return pl.Series([hashes[begin] if begin < end else None for begin, end in pairwise(offsets)], dtype=pl.UInt64)


def _sorted(words: Words, of_words: tuple[U64, I64]) -> _Phrases:
    hashes, offsets = of_words
    owners = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    places = words.offsets[owners] + np.arange(hashes.size) - offsets[owners]
    order = np.lexsort((places, hashes))
    return hashes[order], owners[order], places[order]


def _grams(prompts: int, phrases_: _Phrases, chosen: Flags) -> Grams:
    hashes, owners, places = phrases_[0][chosen], phrases_[1][chosen], phrases_[2][chosen]
    first = _is_first((hashes, owners, places))
    sizes = np.bincount(owners[first], minlength=prompts)
    numbers = _distinct_numbers(hashes)
    fewest = np.full(numbers[-1] + 1 if numbers.size else 0, np.iinfo(np.int64).max)
    np.minimum.at(fewest, numbers, sizes[owners])
    return Grams(hashes, places, owners, first, sizes, fewest[numbers])


def _distinct_numbers(hashes: U64) -> I64:
    """Numbers the distinct phrases from 0; equal phrases get the same number."""
    return np.cumsum(np.append(False, hashes[1:] != hashes[:-1])[: hashes.size])


def _is_first(phrases_: _Phrases) -> Flags:
    """Which phrases are the first occurrence in their prompt."""
    hashes, owners, _ = phrases_
    return np.append(True, (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1]))[: hashes.size]


def _is_template(phrases_: _Phrases) -> Flags:
    """Which phrases more than TEMPLATE prompts contain."""
    numbers = _distinct_numbers(phrases_[0])
    return np.bincount(numbers, weights=_is_first(phrases_))[numbers] > TEMPLATE
