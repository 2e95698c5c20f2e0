"""The instructions of rows in Parquet files, as they are compared: normalised."""

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
    """A piece of a file.

    Attributes:
        row_ids: Shape (rows,).
        texts: What the first user's turn of each row says, normalised, shape (rows,).
    """

    row_ids: pl.Series
    texts: pl.Series


def read(path: Path) -> Iterator[Instructions]:
    """Reads a file with `row_id` and `prompt` (the messages before the answer) piece by piece.

    What is compared is what training will see, so it is read from the messages. Of a conversation with several turns
    the first user's says what it is about; later ones ("go on") are alike in conversations that are not. A prompt
    without a user's turn is compared by its first message.
    """
    for batch in parquet.ParquetFile(path).iter_batches(batch_size=_ROWS, columns=["row_id", "prompt"]):
        frame = pl.DataFrame(batch)
        users = pl.element().filter(pl.element().struct.field("role") == "user")
        asked = frame.select(
            pl.coalesce(
                pl.col("prompt").list.eval(users).list.first().struct.field("content"),
                pl.col("prompt").list.first().struct.field("content"),
            ).alias("asked")
        )
        yield Instructions(frame["row_id"], normalised(asked["asked"]))
