"""Exact duplicates: rows whose instruction and response differ in case, white space and Unicode form at most."""

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
    """A 64-bit hash of both texts, which exact duplicates have in common.

    Each text is preceded by its length, so that no two pairs of texts give the same bytes. The hash consists of integer
    operations only, so it is the same on every machine and with every version of every library.

    64 bits are enough: among n rows two different ones share a key with probability n(n - 1) / 2^65 (the birthday
    bound), which is 3e-8 for a million and 3e-6 for ten million. Texts built to collide would be taken for duplicates,
    which costs their author a row.

    Args:
        normal_instruction: Instructions as `text.normalise` makes them, shape (rows,).
        normal_response: Responses in the same form, shape (rows,).

    Returns:
        Shape (rows,).
    """
    return _keys(*utf8(normal_instruction), *utf8(normal_response))


def representatives(
    keys: U64, passes: Flags, quality: NDArray[np.float64], row_ids: pl.Series, comparable: Flags, rounds: I64
) -> I64:
    """Finds the representative of each exact duplicate.

    Rows with one key are ranked: those that pass everything else first, then the earlier round, the better score and
    the smaller row_id. So a good row is never dropped in favour of a rejected one; if none passes, a rejected row
    represents the others. The order of the rows does not matter.

    Args:
        keys: As `keys` makes them, shape (rows,).
        passes: Whether a row has no other reason to be rejected, shape (rows,).
        quality: The score, NaN where there is none, shape (rows,).
        row_ids: Unique strings, shape (rows,).
        comparable: Which rows take part, shape (rows,): those that have both texts.
        rounds: The round of generation of each row, shape (rows,).

    Returns:
        The position of the representative of every duplicate, -1 for all other rows, shape (rows,).
    """
    duplicate_of = np.full(keys.size, -1, np.int64)
    rows = np.flatnonzero(comparable)
    order = rows[np.argsort(keys[rows], kind="stable")]
    same = keys[order[1:]] == keys[order[:-1]]
    if not same.any():
        return duplicate_of
    repeated = order[np.append(same, False) | np.append(False, same)]
    ranked = (
        pl.DataFrame(
            {
                "position": repeated,
                "key": keys[repeated],
                "fails": ~passes[repeated],
                "round": rounds[repeated],
                "quality": _score(quality[repeated]),
                "row_id": row_ids.gather(repeated),
            }
        )
        .sort("key", "fails", "round", "quality", "row_id", descending=[False, False, False, True, False])
        .select("position", representative=pl.col("position").first().over("key"))
    )
    position, representative = ranked["position"].to_numpy(), ranked["representative"].to_numpy()
    duplicate_of[position] = np.where(position == representative, -1, representative)
    return duplicate_of


def unique_rows(keys: U64, passes: Flags, quality: NDArray[np.float64], earlier_rows: int = 0) -> I64:
    """One row for every key of the rows that pass, for the search for near duplicates.

    They are sorted by falling score, then rising key, so the order of the input does not matter. Rows of earlier rounds
    are sorted after the new ones, but chosen before them if they share a key.

    Args:
        keys: As `keys` makes them, shape (rows,).
        passes: Whether a row has no other reason to be rejected, shape (rows,).
        quality: The score, NaN where there is none, shape (rows,).
        earlier_rows: How many rows, the first ones, are of earlier rounds.

    Returns:
        Positions, shape (distinct keys of passing rows,).
    """
    rows = np.flatnonzero(passes)
    score = _score(quality[rows])
    new = rows >= earlier_rows
    order = np.lexsort((-score, new, keys[rows]))
    first = np.append(True, keys[rows][order][1:] != keys[rows][order][:-1])[: rows.size]
    best = order[first]
    return rows[best][np.lexsort((-score[best], ~new[best]))]


def _score(quality: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(quality), -np.inf, quality)


@njit(cache=True, nogil=True)
def _keys(first: NDArray[np.uint8], first_offsets: I64, second: NDArray[np.uint8], second_offsets: I64) -> U64:
    keys = np.empty(first_offsets.size - 1, np.uint64)
    for row in range(keys.size):
        value = _absorb(_SEED, first, first_offsets[row], first_offsets[row + 1])
        keys[row] = mix(_absorb(value ^ _SECOND_SEED, second, second_offsets[row], second_offsets[row + 1]))
    return keys


@njit(cache=True, nogil=True)
def _absorb(value: np.uint64, data: NDArray[np.uint8], begin: int, end: int) -> np.uint64:
    """Adds a text to a hash: its length, then its bytes, eight at a time.

    Every step is a bijection of the state, so different states stay different under the same text.
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
