"""The prompts of benchmarks, indexed: their phrases by hash, ready to be looked up."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from tuner.curation.columns import plain_words
from tuner.curation.columns.batch import Flags
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import I64, U64, Words, phrases
from tuner.curation.detectors.prompts import Prompt

GRAM = 8
"""Words in a phrase of which a prompt's share is counted."""
SHINGLE = 5
"""Words in a phrase of a near duplicate."""
TEMPLATE = 100
"""A phrase of GRAM words that more prompts share is no question."""

_Phrases = tuple[U64, I64, I64]
"""Hashes, owners and places of phrases, by hash and place."""


@dataclass(frozen=True)
class Grams:
    """Phrases of all prompts, to look them up by hash.

    Attributes:
        hashes: Rising, shape (phrases,).
        places: Of each, the first word within `Benchmarks.words`, shape (phrases,).
        owners: Of each, its prompt, shape (phrases,).
        first: Which is the first of its prompt's equal ones, shape (phrases,).
        sizes: How many different ones each prompt has, shape (prompts,).
        fewest: Of each, the smallest size of a prompt that holds it, shape (phrases,).
    """

    hashes: U64
    places: I64
    owners: I64
    first: Flags
    sizes: I64
    fewest: I64

    def known(self, hashes: U64) -> tuple[I64, I64]:
        """Which of some hashes are here: their indices, rising, and the first phrase of each that has it."""
        known = pl.Series(hashes).is_in(pl.Series(self.hashes).implode())
        at = known.arg_true().to_numpy().astype(np.int64)
        return at, np.searchsorted(self.hashes, hashes[at])


@dataclass(frozen=True)
class Benchmarks:
    """The prompts that rows are held against.

    Attributes:
        similarity: From which on an instruction is near.
        names: What each prompt is called.
        words: Hashes of all prompts' words, one prompt after another.
        offsets: Where each prompt begins in `words`, shape (prompts + 1,).
        grams: Their phrases of 8 words, as often as they occur; a shorter prompt is one.
        shingles: Their phrases of 5 words, each once a prompt.
    """

    similarity: float
    names: Sequence[str]
    words: U64
    offsets: I64
    grams: Grams
    shingles: Grams


def index(found: Sequence[Prompt], similarity: float) -> Benchmarks:
    """Makes prompts ready to be looked up; of those with the same words the first one counts."""
    normal = normalised(pl.Series([prompt.text for prompt in found], dtype=pl.String))
    whole = _whole(plain_words.split(normal))
    table = pl.DataFrame({"name": [prompt.name for prompt in found], "normal": normal, "whole": whole})
    table = table.filter(pl.col("whole").is_not_null()).unique("whole", keep="first", maintain_order=True)
    words = plain_words.split(table["normal"])
    grams, shingles = _sorted(words, GRAM), _sorted(words, SHINGLE)
    return Benchmarks(
        similarity=similarity,
        names=table["name"].to_list(),
        words=words.hashes,
        offsets=words.offsets,
        grams=_grams(len(table), grams, ~_is_template(grams)),
        shingles=_grams(len(table), shingles, _is_first(shingles)),
    )


def _whole(words: Words) -> pl.Series:
    """A hash of all words of each text, null where there are none."""
    longest = int(words.counts.max(initial=1))
    hashes, offsets = phrases(words, longest)
    return pl.Series([hashes[begin] if begin < end else None for begin, end in pairwise(offsets)], dtype=pl.UInt64)


def _sorted(words: Words, size: int) -> _Phrases:
    hashes, offsets = phrases(words, size)
    owners = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    places = words.offsets[owners] + np.arange(hashes.size) - offsets[owners]
    order = np.lexsort((places, hashes))
    return hashes[order], owners[order], places[order]


def _grams(prompts: int, found: _Phrases, chosen: Flags) -> Grams:
    hashes, owners, places = found[0][chosen], found[1][chosen], found[2][chosen]
    first = _is_first((hashes, owners, places))
    sizes = np.bincount(owners[first], minlength=prompts)
    kinds = _kinds(hashes)
    fewest = np.full(kinds[-1] + 1 if kinds.size else 0, np.iinfo(np.int64).max)
    np.minimum.at(fewest, kinds, sizes[owners])
    return Grams(hashes, places, owners, first, sizes, fewest[kinds])


def _kinds(hashes: U64) -> I64:
    """Numbers phrases from 0 on, equal ones alike."""
    return np.cumsum(np.append(False, hashes[1:] != hashes[:-1])[: hashes.size])


def _is_first(found: _Phrases) -> Flags:
    """Which phrases are the first of their prompt's equal ones."""
    hashes, owners, _ = found
    return np.append(True, (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1]))[: hashes.size]


def _is_template(found: _Phrases) -> Flags:
    """Which phrases too many prompts hold."""
    kinds = _kinds(found[0])
    return np.bincount(kinds, weights=_is_first(found))[kinds] > TEMPLATE
