"""What a split needs of its rows: row ids, and the hashes and n-gram sets of their instructions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation.columns.ngrams import Sets, template_rows
from tuner.curation.columns.words import I64, U64
from tuner.splitting import instructions, templates
from tuner.splitting.shares import hashes
from tuner.splitting.shingles import sequences_of, sets_of


@dataclass(frozen=True)
class Former:
    """A split whose rows keep their sides.

    Attributes:
        sides: The file of each of its sides, by the side as an integer; see `sides.SIDES`.
        templates: Its `templates.parquet`; None if it compared whole instructions.
    """

    sides: Mapping[int, Path]
    templates: Path | None


@dataclass(frozen=True)
class Rows:
    """The rows of some files, one after another.

    Attributes:
        row_ids: Shape (rows,).
        hashes: Two of each instruction, see `sides.hashes`, shape (rows, 2); equal only for equal instructions.
        sets: The n-gram sets of the different instructions, without the phrases of templates.
        set_index: The index of each row's set, shape (rows,).
        counts: Rows of each file, shape (files,).
        templates: The phrases of templates, see `templates.SCHEMA`.
    """

    row_ids: pl.Series
    hashes: U64
    sets: Sets
    set_index: I64
    counts: I64
    templates: pa.Table


def read(kept: Sequence[Path], former: Former | None, ngram: int) -> Rows:
    """Reads the instructions of the kept rows, then those of a former split, in batches.

    Args:
        kept: Files with `row_id` and `prompt`.
        former: The split that the phrases of templates are taken over from; None to count them.
        ngram: Words in an n-gram.
    """
    paths = [*kept, *(former.sides.values() if former else ())]
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

    sequences, set_index = sequences_of(texts(), ngram)
    if former is None:
        phrases = templates.counted(kept, sequences, ngram, template_rows(sum(counts)))
    else:
        phrases = parquet.read(former.templates) if former.templates else templates.SCHEMA.empty_table()
    sets = sets_of(sequences, ngram, templates.ngrams_of(phrases, ngram))
    row_hashes = np.concatenate(hash_pairs)
    return Rows(pl.concat(row_ids), row_hashes, sets, set_index, np.array(counts, np.int64), phrases)
