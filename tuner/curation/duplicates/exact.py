"""Exact duplicates: rows whose instruction and response are the same but for case, white space and Unicode form."""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.words import I64, U64, mix, utf8

Flags = NDArray[np.bool_]

_SEED, _STEP = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_SECOND_SEED = np.uint64(0xC2B2AE3D27D4EB4F)
_S8, _S29 = np.uint64(8), np.uint64(29)


def keys(normal_instruction: pl.Series, normal_response: pl.Series) -> U64:
    """What duplicates have in common and other rows do not: a 64-bit hash of both texts.

    Both texts go in whole, each led by its length, so that no two pairs of texts spell the same bytes. The hash is made
    here, of integer operations alone, so it is the same on every machine and under every version of every library.

    64 bits are enough: of n rows some two unlike ones share a key with probability n(n - 1) / 2^65 (the birthday
    bound), which is 3e-8 for a million and 3e-6 for ten million. That holds for texts as they come; texts built to
    collide would be called duplicates of each other, which costs whoever built them a row.

    Args:
        normal_instruction: Instructions as `text.normalise` makes them, shape (rows,).
        normal_response: Responses in the same form, shape (rows,).

    Returns:
        Shape (rows,).
    """
    return _keys(*utf8(normal_instruction), *utf8(normal_response))


def beaten(
    keys: U64, passes: Flags, quality: NDArray[np.float64], row_ids: pl.Series, comparable: Flags, rounds: I64
) -> I64:
    """Names the row that stands for each doubled one.

    Of rows with one key the first of this order wins: those that pass everything else, then those of an earlier round,
    then the better score, then the smaller row_id. So a rejected row never wins over one that passes, else it could
    take a good one down with it; where none passes, one rejected row stands for the others. The order of the rows does
    not matter.

    Args:
        keys: As `keys` makes them, shape (rows,).
        passes: Whether nothing else is wrong with a row, shape (rows,).
        quality: The score, NaN where there is none, shape (rows,).
        row_ids: Strings, no two the same, shape (rows,).
        comparable: Which rows take part, shape (rows,): a row without instruction or response has nothing that could
            be doubled.
        rounds: Which round of generation drew a row, shape (rows,).

    Returns:
        The position of the winner for every loser, -1 for winners and for rows that have no duplicate, shape (rows,).
    """
    beaten_by = np.full(keys.size, -1, np.int64)
    rows = np.flatnonzero(comparable)
    order = rows[np.argsort(keys[rows], kind="stable")]
    same = keys[order[1:]] == keys[order[:-1]]
    if not same.any():
        return beaten_by
    doubled = order[np.append(same, False) | np.append(False, same)]
    ranked = (
        pl.DataFrame(
            {
                "position": doubled,
                "key": keys[doubled],
                "fails": ~passes[doubled],
                "round": rounds[doubled],
                "quality": _score(quality[doubled]),
                "row_id": row_ids.gather(doubled),
            }
        )
        .sort("key", "fails", "round", "quality", "row_id", descending=[False, False, False, True, False])
        .select("position", winner=pl.col("position").first().over("key"))
    )
    position, winner = ranked["position"].to_numpy(), ranked["winner"].to_numpy()
    beaten_by[position] = np.where(position == winner, -1, winner)
    return beaten_by


def standing(keys: U64, passes: Flags, quality: NDArray[np.float64], settled: int = 0) -> I64:
    """One row for every key that a passing row has: what is compared when near duplicates are looked for.

    Their order (score falling, then key rising) follows from what the rows are, not from where they stand. Those of
    earlier rounds come after the others; they stand for a key before others.

    Args:
        keys: As `keys` makes them, shape (rows,).
        passes: Whether nothing else is wrong with a row, shape (rows,).
        quality: The score, NaN where there is none, shape (rows,).
        settled: How many rows are of earlier rounds; they are the first.

    Returns:
        Positions, shape (distinct keys of passing rows,).
    """
    rows = np.flatnonzero(passes)
    score = _score(quality[rows])
    new = rows >= settled
    order = np.lexsort((-score, new, keys[rows]))
    first = np.append(True, keys[rows][order][1:] != keys[rows][order][:-1])[: rows.size]
    best = order[first]
    return rows[best][np.lexsort((-score[best], ~new[best]))]


def _score(quality: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(quality), -np.inf, quality)


@njit(cache=True, nogil=True)
def _keys(first: NDArray[np.uint8], first_offsets: I64, second: NDArray[np.uint8], second_offsets: I64) -> U64:
    found = np.empty(first_offsets.size - 1, np.uint64)
    for row in range(found.size):
        value = _absorb(_SEED, first, first_offsets[row], first_offsets[row + 1])
        found[row] = mix(_absorb(value ^ _SECOND_SEED, second, second_offsets[row], second_offsets[row + 1]))
    return found


@njit(cache=True, nogil=True)
def _absorb(value: np.uint64, data: NDArray[np.uint8], begin: int, end: int) -> np.uint64:
    """Takes a text into a hash: its length, then its bytes, eight at a time.

    Every step is a bijection of the state, so two states differ until a piece of text makes them meet.
    """
    value = mix(value ^ np.uint64(end - begin)) + _STEP
    at = begin
    while at < end:
        piece = np.uint64(0)
        for byte in range(at, min(at + 8, end)):
            piece = (piece << _S8) | np.uint64(data[byte])
        value = (value ^ piece) * _STEP
        value = (value ^ (value >> _S29)) * _SEED
        at += 8
    return mix(value)
