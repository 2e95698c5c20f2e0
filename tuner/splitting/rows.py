"""What a split needs of its rows: row ids, and the hashes and n-gram sets of their instructions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tuner.curation.columns.ngrams import Sets
from tuner.curation.columns.words import I64, U64
from tuner.splitting import instructions
from tuner.splitting.shingles import sets_of
from tuner.splitting.sides import hashes


@dataclass(frozen=True)
class Former:
    """A split whose rows keep their sides.

    Attributes:
        train: Its `train.parquet`.
        validation: Its `validation.parquet`.
    """

    train: Path
    validation: Path


@dataclass(frozen=True)
class Rows:
    """The rows of some files, one after another.

    Attributes:
        row_ids: Shape (rows,).
        hashes: Two of each instruction, see `sides.hashes`, shape (rows, 2); equal only for equal instructions.
        sets: The distinct n-gram sets of the instructions.
        set_index: The index of each row's set, shape (rows,).
        counts: Rows of each file, shape (files,).
    """

    row_ids: pl.Series
    hashes: U64
    sets: Sets
    set_index: I64
    counts: I64


def read(paths: Iterable[Path], ngram: int) -> Rows:
    """Reads the instructions of files with `row_id` and `prompt`, in batches."""
    row_ids = [pl.Series("row_id", [], pl.String)]
    hash_pairs = [np.empty((0, 2), np.uint64)]
    counts: list[int] = []

    def texts() -> Iterator[pl.Series]:
        for path in paths:
            counts.append(0)
            for batch in instructions.read(path):
                row_ids.append(batch.row_ids)
                hash_pairs.append(hashes(batch.texts))
                counts[-1] += len(batch.texts)
                yield batch.texts

    sets, set_index = sets_of(texts(), ngram)
    return Rows(pl.concat(row_ids), np.concatenate(hash_pairs), sets, set_index, np.array(counts, np.int64))
