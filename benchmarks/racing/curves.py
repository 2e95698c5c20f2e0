"""The learning curves of whole sweeps, in one file: the loss of every tuning row of every trial at every look."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KEPT = Path(__file__).with_name("curves.parquet")
"""The curves that the figures of the documentation come from."""

SCHEMA = pl.Schema(
    {
        "sweep": pl.Categorical(),
        "trial": pl.Categorical(),
        "share": pl.Float32(),
        "row": pl.Int16(),
        "tokens": pl.Int16(),
        "loss": pl.Float32(),
    }
)


@dataclass(frozen=True)
class Curves:
    """The curves of a sweep.

    Attributes:
        sweep: Its name.
        trials: What differs between the trials, in words.
        shares: The share of the training that was done at each look, from 0 to 1.
        tokens: Scored tokens of every row, shape (rows,).
        losses: Summed over each row's tokens, in nats, shape (trials, looks, rows); not finite where it diverged.
    """

    sweep: str
    trials: tuple[str, ...]
    shares: tuple[float, ...]
    tokens: Floats
    losses: Floats

    @property
    def final(self) -> Floats:
        """The loss of every trial at the end, in nats per token, shape (trials,); infinite where it diverged."""
        return mean(self.losses[:, -1], self.tokens)


def mean(losses: Floats, tokens: Floats) -> Floats:
    """Token-weighted losses; infinite instead of not a number."""
    found = losses.sum(axis=-1) / tokens.sum()
    return np.where(np.isfinite(found), found, np.inf)


def write(sweeps: Iterable[Curves], path: Path) -> None:
    """Writes the curves of sweeps."""
    tables = []
    for curves in sweeps:
        trial, look, row = (axis.ravel() for axis in np.indices(curves.losses.shape))
        columns = {
            "sweep": [curves.sweep] * trial.size,
            "trial": np.array(curves.trials)[trial],
            "share": np.array(curves.shares)[look],
            "row": row,
            "tokens": curves.tokens[row],
            "loss": curves.losses.ravel(),
        }
        tables.append(pl.DataFrame(columns).cast(SCHEMA))
    pl.concat(tables).write_parquet(path)


def read(path: Path) -> list[Curves]:
    """Reads what `write` wrote."""
    found = []
    for table in pl.read_parquet(path).partition_by("sweep", maintain_order=True):
        trials, shares = (table[column].unique(maintain_order=True).to_list() for column in ("trial", "share"))
        losses = table["loss"].to_numpy().astype(np.float64).reshape(len(trials), len(shares), -1)
        tokens = table["tokens"].to_numpy().astype(np.float64)[: losses.shape[2]]
        found.append(Curves(table["sweep"][0], tuple(trials), tuple(shares), tokens, losses))
    return found
