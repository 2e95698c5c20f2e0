"""MinHash signatures in bands: rows whose texts share most of their phrases share a band, and few others do.

A permutation of all phrases gives every text its least phrase; two texts have the same one with a probability that is
the Jaccard similarity s of their sets of phrases (Broder, On the resemblance and containment of documents, 1997). A
band is the least phrases under r permutations, hashed to 32 bits. With b bands a pair shares at least one with
probability 1 - (1 - s^r)^b (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4). Which pairs
that share a band are really near is decided by their texts, see `matching`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from pyarrow import parquet

from tuner.curation.checks.duplicates import Near, Text
from tuner.curation.columns.words import I64, U64, Words, mix, phrases

U32 = NDArray[np.uint32]

PERMUTATIONS = 96
MOST_MISSED = 0.015
NO_SIGNATURE = np.uint32(0)
"""The band of a text without words: no text with words has it, and it equals none, not even itself."""

# Bounds the memory that phrases take, and keeps them in the processor's cache.
_ROWS_AT_ONCE = 2048

_S32 = np.uint64(32)


@dataclass(frozen=True)
class Rows:
    """What the search for duplicates knows of all rows, those of all shards one after another.

    Attributes:
        keys: Of the exact-duplicate form, shape (rows,).
        passes: Whether a row passes every check of its own, shape (rows,).
        quality: The score, NaN where there is none, shape (rows,).
        sizes: Rows of each shard.
    """

    keys: U64
    passes: NDArray[np.bool_]
    quality: NDArray[np.float64]
    sizes: list[int]


@dataclass(frozen=True)
class Banding:
    """How the permutations are put together.

    Attributes:
        bands: How many bands.
        rows: Permutations in each.
    """

    bands: int
    rows: int

    def found(self, similarity: float) -> float:
        """The probability that two texts of a Jaccard similarity share a band."""
        return 1 - (1 - similarity**self.rows) ** self.bands


def banding(similarity: float) -> Banding:
    """Divides 96 permutations: as many to a band as miss at most 1.5 % of the pairs that are just similar enough.

    More permutations in a band make fewer pairs meet that are not similar, and miss more that are.

    | from similarity | bands x permutations | missed there | missed at 0.6 | at 0.7 | at 0.8 |
    |---|---|---|---|---|---|
    | 0.30 | 48 x 2 | 1.1 % | | | |
    | 0.50 | 32 x 3 | 1.4 % | 0.04 % | 0.0002 % | |
    | 0.64 | 24 x 4 | 1.2 % | | 0.15 % | 0.0003 % |
    | 0.79 | 16 x 6 | 1.3 % | | | 0.8 % |

    Raises:
        ValueError: If the similarity is under 0.3, where no division would do.
    """
    for rows in (6, 4, 3, 2):
        candidate = Banding(PERMUTATIONS // rows, rows)
        if 1 - candidate.found(similarity) <= MOST_MISSED:
            return candidate
    raise ValueError(f"a similarity of {similarity} is too low for {PERMUTATIONS} permutations")


def compared(on: Text, instruction: Words, response: Words) -> Words:
    """The words that near duplicates are looked for in: of one text, or the instruction's and then the response's."""
    if on == "instruction":
        return instruction
    if on == "response":
        return response
    hashes, lengths = _joined(
        instruction.hashes,
        instruction.lengths,
        instruction.offsets,
        response.hashes,
        response.lengths,
        response.offsets,
    )
    begins = instruction.offsets[0] + response.offsets[0]
    return Words(hashes, lengths, instruction.offsets + response.offsets - begins)


def part(words: Words, begin: int, end: int) -> Words:
    """The texts from `begin` up to `end`, without copying a word."""
    return Words(words.hashes, words.lengths, words.offsets[begin : end + 1])


def sign(words: Words, near: Near) -> U32:
    """The bands of every text.

    Equal texts have equal bands, on every machine: nothing is drawn at random, the permutations are constants.

    Args:
        words: Of normalised texts.
        near: Says how many words make a phrase, and from which similarity texts are to be found.

    Returns:
        Hashes, shape (texts, bands); all `NO_SIGNATURE` where a text has no words.
    """
    divided = banding(near.similarity)
    texts = words.offsets.size - 1
    found = np.empty((texts, divided.bands), np.uint32)
    for begin, end in _parts(texts):
        hashes, offsets = phrases(part(words, begin, end), near.ngram)
        _sign(hashes, offsets, *_permutations(), divided.rows, found[begin:end])
    return found


def columns(instruction: Words, response: Words, near: Near) -> dict[str, pl.Series]:
    """The signatures of a shard as columns, by name: one for every text that is compared and every band.

    A column of its own for each band, so that a task reads the bands that it searches and no others.

    Args:
        instruction: Words of the normalised instructions.
        response: Words of the normalised responses.
        near: Says what is compared and how.
    """
    parts = _parts(instruction.offsets.size - 1)
    found: dict[str, pl.Series] = {}
    for on in near.on:
        signed = [
            sign(compared(on, part(instruction, begin, end), part(response, begin, end)), near) for begin, end in parts
        ]
        bands = np.concatenate([np.empty((0, banding(near.similarity).bands), np.uint32), *signed])
        found |= {name(on, band): pl.Series(name(on, band), bands[:, band]) for band in range(bands.shape[1])}
    return found


def name(on: Text, band: int) -> str:
    """The column that holds a band."""
    return f"{on}_band_{band:02}"


def rows(paths: Sequence[Path]) -> Rows:
    """Reads the columns `key` (uint64), `passes` (bool) and `quality` (float64, null where there is none)."""
    tables = [parquet.read_table(path, columns=["key", "passes", "quality"]) for path in paths]
    whole = pa.concat_tables(tables)
    return Rows(
        keys=whole.column("key").to_numpy().astype(np.uint64),
        passes=whole.column("passes").to_numpy().astype(np.bool_),
        quality=whole.column("quality").to_numpy().astype(np.float64),
        sizes=[table.num_rows for table in tables],
    )


def read(paths: Sequence[Path], on: Text, bands: Sequence[int]) -> U32:
    """Reads bands of all rows of all shards.

    Args:
        paths: Files with the columns that `columns` makes, in the order of the shards.
        on: Which text's.
        bands: Which.

    Returns:
        Shape (bands, rows).
    """
    names = [name(on, band) for band in bands]
    ends = np.cumsum([parquet.read_metadata(path).num_rows for path in paths])
    found = np.empty((len(names), ends[-1]), np.uint32)
    for path, end in zip(paths, ends, strict=True):
        table = parquet.read_table(path, columns=names)
        for band, column in enumerate(names):
            found[band, end - table.num_rows : end] = table.column(column).to_numpy()
    return found


def _parts(texts: int) -> list[tuple[int, int]]:
    return [(begin, min(begin + _ROWS_AT_ONCE, texts)) for begin in range(0, texts, _ROWS_AT_ONCE)]


def _permutations() -> tuple[U32, U32]:
    """Of each permutation x -> ax + b mod 2^32 the odd number a and the number b."""
    digests = [hashlib.blake2b(b"permutation %d" % number, digest_size=8).digest() for number in range(PERMUTATIONS)]
    numbers = np.frombuffer(b"".join(digests), "<u4").astype(np.uint32).reshape(PERMUTATIONS, 2)
    return numbers[:, 0] | np.uint32(1), numbers[:, 1].copy()


@njit(cache=True, nogil=True)
def _sign(hashes: U64, offsets: I64, factors: U32, summands: U32, rows: int, found: U32) -> None:
    """A text of 213 phrases takes 3 us; with NumPy's `minimum.reduceat` 52, and bands are not yet made of it."""
    least = np.empty(factors.size, np.uint32)
    for text in range(offsets.size - 1):
        if offsets[text] == offsets[text + 1]:
            found[text] = NO_SIGNATURE
            continue
        least[:] = np.uint32(0xFFFFFFFF)
        for phrase in range(offsets[text], offsets[text + 1]):
            value = np.uint32(hashes[phrase] >> _S32)
            # All in 32 bits and without a branch: so it becomes vector instructions.
            for number in range(factors.size):
                moved = np.uint32(factors[number] * value + summands[number])
                least[number] = moved if moved < least[number] else least[number]
        for band in range(found.shape[1]):
            value = np.uint64(band)
            for number in range(band * rows, (band + 1) * rows):
                value = mix(value ^ np.uint64(least[number])) + np.uint64(1)
            # Zero says that there is no signature.
            found[text, band] = max(np.uint32(value >> _S32), np.uint32(1))


@njit(cache=True, nogil=True)
def _joined(
    first: U64, first_lengths: NDArray[np.int32], begins: I64, second: U64, second_lengths: NDArray[np.int32], then: I64
) -> tuple[U64, NDArray[np.int32]]:
    total = begins[-1] - begins[0] + then[-1] - then[0]
    hashes, lengths = np.empty(total, np.uint64), np.empty(total, np.int32)
    at = 0
    for text in range(begins.size - 1):
        for word in range(begins[text], begins[text + 1]):
            hashes[at], lengths[at] = first[word], first_lengths[word]
            at += 1
        for word in range(then[text], then[text + 1]):
            hashes[at], lengths[at] = second[word], second_lengths[word]
            at += 1
    return hashes, lengths
