"""The texts of a shard's rows as they are checked: the generated ones with cleaning applied."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

INSTRUCTION, RESPONSE = "cleaned_instruction", "cleaned_response"
"""Columns of `checks.parquet`: the text after cleaning, null where it did not change."""

CONTENTS = "cleaned_contents"
"""The column of `checks.parquet` with the texts of all messages of a row, null where none of them changed."""

BESIDE = "masked_columns"
"""The column of rows that names the columns beside the messages in which something was masked, null where none."""


@dataclass(frozen=True)
class Shard:
    """The files of one shard.

    Attributes:
        rows: `rows.parquet`, as generated.
        checks: `checks.parquet` of `examine`.
        signatures: `signatures.parquet` of `examine`.
        round: Its round of generation; earlier rounds win over later ones among duplicates.
        judged: `judged.parquet` of `judge`; None if no model judges.
    """

    rows: Path
    checks: Path
    signatures: Path
    round: int = 0
    judged: Path | None = None


@dataclass(frozen=True)
class CheckedTexts:
    """Reads the texts of some rows; callable with a shard's number and positions within it.

    Attributes:
        shards: All shards, in order.
    """

    shards: Sequence[Shard]

    def __call__(self, shard: int, positions: NDArray[np.int64]) -> pl.DataFrame:
        """The columns `instruction` and `response` of these rows, in the order of the positions."""
        files = self.shards[shard]
        chosen = pl.Series(positions)
        drawn = pl.read_parquet(files.rows, columns=["instruction", "response"], glob=False)[chosen]
        cleaned = pl.read_parquet(files.checks, columns=[INSTRUCTION, RESPONSE], glob=False)[chosen]
        return as_checked(drawn, cleaned)


def as_checked(drawn: pl.DataFrame, cleaned: pl.DataFrame) -> pl.DataFrame:
    """The columns `instruction` and `response`, with the cleaned text where cleaning changed it."""
    return pl.DataFrame(
        {
            "instruction": drawn.select(pl.coalesce(cleaned[INSTRUCTION], drawn["instruction"])).to_series(),
            "response": drawn.select(pl.coalesce(cleaned[RESPONSE], drawn["response"])).to_series(),
        }
    )


def judged_columns(shard: Shard) -> dict[str, pl.Series]:
    """The columns that models added to a shard's rows; none if no model judges."""
    if shard.judged is None:
        return {}
    return pl.read_parquet(shard.judged, glob=False).drop("row_id").to_dict()
