"""MinHash signatures in bands: rows whose texts share most of their phrases share a band, and few others do.

A permutation of all phrases gives every text its least phrase; two texts have the same one with a probability equal to
the Jaccard similarity s of their sets of phrases (Broder, On the resemblance and containment of documents, 1997). A
band is the least phrases under r permutations, hashed to 32 bits. With b bands a pair shares at least one with
probability 1 - (1 - s^r)^b (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4). Pairs that
share a band are then compared by their texts, see `matching`.
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
"""The band of a text without words. It is never matched, not even with itself."""

# Bounds the memory that phrases take, and keeps them in the processor's cache.
_ROWS_AT_ONCE = 2048

_S32 = np.uint64(32)


@dataclass(frozen=True)
class Rows:
    """The columns of all shards that the search for duplicates reads first.

    Attributes:
        keys: As made by `exact.keys`, shape (rows,).
        passes: Whether a row passes every check of single rows, shape (rows,).
        quality: The score, NaN where there is none, shape (rows,).
        sizes: Rows of each shard.
    """

    keys: U64
    passes: NDArray[np.bool_]
    quality: NDArray[np.float64]
    sizes: list[int]


@dataclass(frozen=True)
class Banding:
    """How the permutations are divided into bands.

    Attributes:
        bands: How many bands.
        rows: Permutations in each.
    """

    bands: int
    rows: int

    def probability(self, similarity: float) -> float:
        """The probability that two texts of a Jaccard similarity share a band."""
        return 1 - (1 - similarity**self.rows) ** self.bands


def banding(similarity: float) -> Banding:
    """Divides 96 permutations into the largest bands that miss at most 1.5 % of pairs of just this similarity.

    More permutations in a band give fewer candidates that are not similar, and miss more pairs that are.

    | from similarity | bands x permutations | missed there | missed at 0.6 | at 0.7 | at 0.8 |
    |---|---|---|---|---|---|
    | 0.30 | 48 x 2 | 1.1 % | | | |
    | 0.50 | 32 x 3 | 1.4 % | 0.04 % | 0.0002 % | |
    | 0.64 | 24 x 4 | 1.2 % | | 0.15 % | 0.0003 % |
    | 0.79 | 16 x 6 | 1.3 % | | | 0.8 % |

    Raises:
        ValueError: If the similarity is below about 0.3, where every division misses more.
    """
    for rows in (6, 4, 3, 2):
        candidate = Banding(PERMUTATIONS // rows, rows)
        if 1 - candidate.probability(similarity) <= MOST_MISSED:
            return candidate
    raise ValueError(f"a similarity of {similarity} is too low for {PERMUTATIONS} permutations")


def compared(on: Text, instruction: Words, response: Words) -> Words:
    """The words that are compared: those of one text, or the instruction's followed by the response's."""
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
    """The texts from `begin` up to `end`, without copying."""
    return Words(words.hashes, words.lengths, words.offsets[begin : end + 1])


def sign(words: Words, near: Near) -> U32:
    """The bands of every text.

    The permutations are constants, so equal texts have equal bands on every machine.

    Args:
        words: Of normalised texts.
        near: The length of a phrase and the similarity to find.

    Returns:
        Hashes, shape (texts, bands); all `NO_SIGNATURE` where a text has no words.
    """
    layout = banding(near.similarity)
    texts = words.offsets.size - 1
    bands = np.empty((texts, layout.bands), np.uint32)
    for begin, end in _parts(texts):
        hashes, offsets = phrases(part(words, begin, end), near.ngram)
        _sign(hashes, offsets, *_permutations(), layout.rows, bands[begin:end])
    return bands


def columns(instruction: Words, response: Words, near: Near) -> dict[str, pl.Series]:
    """The signatures of a shard as columns, by name: one for every compared text and band.

    Each band has its own column, so that a task reads only the bands that it searches.

    Args:
        instruction: Words of the normalised instructions.
        response: Words of the normalised responses.
        near: What is compared and how.
    """
    parts = _parts(instruction.offsets.size - 1)
    series: dict[str, pl.Series] = {}
    for on in near.on:
        signed = [
            sign(compared(on, part(instruction, begin, end), part(response, begin, end)), near) for begin, end in parts
        ]
        bands = np.concatenate([np.empty((0, banding(near.similarity).bands), np.uint32), *signed])
        series |= {name(on, band): pl.Series(name(on, band), bands[:, band]) for band in range(bands.shape[1])}
    return series


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
        on: Which text.
        bands: Numbers of the bands.

    Returns:
        Shape (bands, rows).
    """
    names = [name(on, band) for band in bands]
    ends = np.cumsum([parquet.read_metadata(path).num_rows for path in paths])
    values = np.empty((len(names), ends[-1]), np.uint32)
    for path, end in zip(paths, ends, strict=True):
        table = parquet.read_table(path, columns=names)
        for band, column in enumerate(names):
            values[band, end - table.num_rows : end] = table.column(column).to_numpy()
    return values


def _parts(texts: int) -> list[tuple[int, int]]:
    return [(begin, min(begin + _ROWS_AT_ONCE, texts)) for begin in range(0, texts, _ROWS_AT_ONCE)]


def _permutations() -> tuple[U32, U32]:
    """The odd factors a and the summands b of the permutations x -> ax + b mod 2^32."""
    digests = [hashlib.blake2b(b"permutation %d" % number, digest_size=8).digest() for number in range(PERMUTATIONS)]
    numbers = np.frombuffer(b"".join(digests), "<u4").astype(np.uint32).reshape(PERMUTATIONS, 2)
    return numbers[:, 0] | np.uint32(1), numbers[:, 1].copy()


@njit(cache=True, nogil=True)
def _sign(hashes: U64, offsets: I64, factors: U32, summands: U32, rows: int, bands: U32) -> None:
    """A text of 213 phrases takes 3 us; NumPy's `minimum.reduceat` alone takes 52, without making the bands."""
    least = np.empty(factors.size, np.uint32)
    for text in range(offsets.size - 1):
        if offsets[text] == offsets[text + 1]:
            bands[text] = NO_SIGNATURE
            continue
        least[:] = np.uint32(0xFFFFFFFF)
        for phrase in range(offsets[text], offsets[text + 1]):
            value = np.uint32(hashes[phrase] >> _S32)
            # In 32 bits and without a branch, so that it is vectorised.
            for number in range(factors.size):
                moved = np.uint32(factors[number] * value + summands[number])
                least[number] = moved if moved < least[number] else least[number]
        for band in range(bands.shape[1]):
            value = np.uint64(band)
            for number in range(band * rows, (band + 1) * rows):
                value = mix(value ^ np.uint64(least[number])) + np.uint64(1)
            # Zero is NO_SIGNATURE.
            bands[text, band] = max(np.uint32(value >> _S32), np.uint32(1))


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
