"""What a split has to know of its rows: their names, the draws of their instructions, and the sets of n-grams."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tuner.curation.columns.ngrams import Sets
from tuner.curation.columns.words import I64, U64
from tuner.splitting import instructions
from tuner.splitting.shingles import sets_of
from tuner.splitting.sides import draws


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
        draws: Of the instructions, shape (rows, 2); equal ones have equal instructions.
        sets: The different sets of n-grams of the instructions.
        of: Which set each row has, shape (rows,).
        counts: Rows of each file, shape (files,).
    """

    row_ids: pl.Series
    draws: U64
    sets: Sets
    of: I64
    counts: I64


def read(paths: Iterable[Path], ngram: int) -> Rows:
    """Reads the instructions of files with `row_id` and `prompt`, piece by piece."""
    row_ids = [pl.Series("row_id", [], pl.String)]
    drawn = [np.empty((0, 2), np.uint64)]
    counts: list[int] = []

    def texts() -> Iterator[pl.Series]:
        for path in paths:
            counts.append(0)
            for piece in instructions.read(path):
                row_ids.append(piece.row_ids)
                drawn.append(draws(piece.texts))
                counts[-1] += len(piece.texts)
                yield piece.texts

    sets, of = sets_of(texts(), ngram)
    return Rows(pl.concat(row_ids), np.concatenate(drawn), sets, of, np.array(counts, np.int64))
