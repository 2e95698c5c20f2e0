"""The texts of a shard's rows as they were checked: as drawn, or what cleaning made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

INSTRUCTION, RESPONSE = "cleaned_instruction", "cleaned_response"
"""Columns of `checks.parquet`: the text after cleaning, null where nothing was changed."""


@dataclass(frozen=True)
class Shard:
    """The files of one shard.

    Attributes:
        rows: `rows.parquet`, as drawn.
        checks: `checks.parquet` of `examine`.
        signatures: `signatures.parquet` of `examine`.
        round: Which round of generation drew it; rows of an earlier one win over those of a later one.
    """

    rows: Path
    checks: Path
    signatures: Path
    round: int = 0


@dataclass(frozen=True)
class CheckedTexts:
    """Reads the texts of some rows; callable with a shard's number and positions within it.

    Attributes:
        shards: All of them, in order.
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
    """The columns `instruction` and `response`, from what was drawn and what cleaning changed."""
    return pl.DataFrame(
        {
            "instruction": drawn.select(pl.coalesce(cleaned[INSTRUCTION], drawn["instruction"])).to_series(),
            "response": drawn.select(pl.coalesce(cleaned[RESPONSE], drawn["response"])).to_series(),
        }
    )
