"""Reads the normalised instructions of rows from Parquet files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pyarrow import parquet

from tuner.curation.columns.text import normalised

# Rows in memory at once: about 50 MB of text at 1 kB a row.
_ROWS = 50_000


@dataclass(frozen=True)
class Instructions:
    """The instructions of one batch of rows.

    Attributes:
        row_ids: Shape (rows,).
        texts: The first user turn of each row, normalised, shape (rows,).
    """

    row_ids: pl.Series
    texts: pl.Series


def read(path: Path) -> Iterator[Instructions]:
    """Reads a file with `row_id` and `prompt` (the messages before the answer) in batches.

    Read from the messages, since training sees those. Of several turns the first user turn is taken: it says what the
    conversation is about, while later ones ("go on") are alike in unrelated conversations. A prompt without a user
    turn gives its first message.
    """
    for batch in parquet.ParquetFile(path).iter_batches(batch_size=_ROWS, columns=["row_id", "prompt"]):
        frame = pl.DataFrame(batch)
        users = pl.element().filter(pl.element().struct.field("role") == "user")
        instructions = frame.select(
            pl.coalesce(
                pl.col("prompt").list.eval(users).list.first().struct.field("content"),
                pl.col("prompt").list.first().struct.field("content"),
            ).alias("instruction")
        )
        yield Instructions(frame["row_id"], normalised(instructions["instruction"]))
