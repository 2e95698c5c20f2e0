"""The phrases of templates, which weigh nothing where instructions are compared.

Counted once, in a split without a former one. Every later split takes them over as they are: so the similarity of old
rows never changes, and none of them becomes near to one of the other side because rows are added. A template that only
new rows have weighs as other text does there: their clusters are larger, but nothing leaks.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from tuner.curation.columns import ngrams
from tuner.curation.columns.ngrams import Numbers, Sets
from tuner.curation.columns.words import U64, beginnings, split
from tuner.splitting import instructions

FILE = "templates.parquet"
"""In the folder of a split: `SCHEMA`, most frequent phrases first; without rows if there is none."""
SCHEMA = pa.schema([("phrase", pa.string()), ("instructions", pa.int64())])
"""The words of an n-gram, normalised, and how many different instructions of the first split hold it."""


def counted(kept: Sequence[Path], sequences: Sets, ngram: int, least: int) -> pa.Table:
    """Counts the phrases of templates: those that at least `least` different instructions hold.

    Args:
        kept: Files with `row_id` and `prompt`.
        sequences: The n-grams of their different instructions, in the order of the text.
        ngram: Words in an n-gram.
        least: At most 255.
    """
    grams, times = ngrams.templates(sequences, least)
    frame = pl.DataFrame({"phrase": pl.Series(_phrases(kept, grams, ngram), dtype=pl.String), "instructions": times})
    return frame.sort("instructions", "phrase", descending=[True, False]).to_arrow().cast(SCHEMA)


def ngrams_of(templates: pa.Table, ngram: int) -> U64:
    """The n-grams of the phrases, sorted."""
    phrases = pl.Series(templates["phrase"].to_pylist(), dtype=pl.String)
    return np.unique(ngrams.sequences_of(split(phrases), ngram).values)


def _phrases(kept: Sequence[Path], grams: Numbers, ngram: int) -> list[str]:
    """The words of n-grams as written where each occurs first, in the order of the n-grams."""
    phrases: dict[int, str] = {}
    missing = grams
    for batch in (batch for path in kept for batch in instructions.read(path)):
        if not missing.size:
            break
        sequences = ngrams.sequences_of(split(batch.texts), ngram)
        places = np.flatnonzero(ngrams.member(missing)(sequences.values))
        found, first = np.unique(sequences.values[places], return_index=True)
        places = places[first]
        rows = np.searchsorted(sequences.offsets, places, side="right") - 1
        texts, begins = batch.texts.gather(rows), places - sequences.offsets[rows]
        pairs = zip(beginnings(texts, begins), beginnings(texts, begins + ngram), strict=True)
        written = (longer[len(before) :].strip() for before, longer in pairs)
        phrases |= zip(found.tolist(), written, strict=True)
        missing = np.setdiff1d(missing, found, assume_unique=True)
    return [phrases[gram] for gram in grams.tolist()]
