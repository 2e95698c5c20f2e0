"""The reasons of each row as a bit mask: bit i stands for the i-th of `REASONS`.

In memory only: files store reasons by name, so that the order of `REASONS` may change.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tuner.curation.reasons import REASONS

Bits = NDArray[np.uint64]

_NAMES = tuple(REASONS)
_BIT = {name: np.uint64(1) << np.uint64(position) for position, name in enumerate(_NAMES)}


def pack(rows: int, flags: Mapping[str, NDArray[np.bool_]]) -> Bits:
    """The mask of every row, shape (rows,).

    Args:
        rows: How many rows.
        flags: By reason, the rows that it applies to, shape (rows,).
    """
    bits = np.zeros(rows, np.uint64)
    for name, applies in flags.items():
        bits[applies] |= _BIT[name]
    return bits


def mask(names: Iterable[str]) -> np.uint64:
    """The mask of these reasons."""
    return np.bitwise_or.reduce(np.array([_BIT[name] for name in names], np.uint64), initial=np.uint64(0))


def names(bits: Bits) -> pa.ListArray:
    """The names of every row's reasons, in the order of `REASONS`, as a column of lists."""
    present = np.stack([(bits & bit) != 0 for bit in _BIT.values()], axis=1)
    rows, reasons = np.nonzero(present)
    offsets = np.searchsorted(rows, np.arange(len(bits) + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(_NAMES, pa.string()).take(pa.array(reasons)))


def of(names: pa.ChunkedArray) -> Bits:
    """The masks of a column of lists of names: the inverse of `names`.

    Raises:
        KeyError: If a name is not in `REASONS`.
    """
    lists = names.combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], names.type)
    encoded = lists.flatten().dictionary_encode()
    values = np.array([_BIT[name] for name in encoded.dictionary.to_pylist()], np.uint64)
    bits = np.zeros(len(lists), np.uint64)
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    np.bitwise_or.at(bits, np.repeat(np.arange(len(lists)), lengths), values[encoded.indices.to_numpy()])
    return bits


def counts(bits: Bits) -> dict[str, int]:
    """Rows by reason, zeros included: it is worth knowing that a rule never applies."""
    return {name: int(np.count_nonzero(bits & bit)) for name, bit in _BIT.items()}


def firsts(bits: Bits) -> dict[str, int]:
    """Rows by their first reason, zeros included."""
    return counts(bits & (~bits + np.uint64(1)))
