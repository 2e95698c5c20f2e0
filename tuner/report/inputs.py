"""What a report is made from. Apart from the rest, so that naming it loads neither matplotlib nor Arrow."""

from dataclasses import dataclass
from pathlib import Path

from tuner.artifacts.manifest import Manifest
from tuner.recipe import Recipe


@dataclass(frozen=True)
class Inputs:
    """The artifacts that a report is made from, and local paths of the files it reads.

    Attributes:
        recipe: What was run.
        shards: The generated shards, in order.
        curate: The curated rows.
        split: The two sides.
        training: The trained adapters, by name.
        evaluate: The comparison's measurements.
        rows: `rows.parquet` of `curate`.
        curves: `curve.parquet` of every adapter, by name.
        losses: `losses.parquet` of `evaluate`.
        samples: `samples.parquet` of `evaluate`.
    """

    recipe: Recipe
    shards: list[Manifest]
    curate: Manifest
    split: Manifest
    training: dict[str, Manifest]
    evaluate: Manifest
    rows: Path
    curves: dict[str, Path]
    losses: Path
    samples: Path
