"""What a report is made from. Apart from the rest, so that naming it loads neither matplotlib nor Arrow."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.artifacts.manifest import Manifest

if TYPE_CHECKING:
    from tuner.recipe import Recipe


@dataclass(frozen=True)
class Inputs:
    """The artifacts that a report is made from, and local paths of the files it reads.

    Attributes:
        recipe: What was run.
        parts: What was made shard by shard or in partitions, stage after stage: generated, examined, matched.
        curate: The curated rows.
        split: The two sides.
        training: The trained adapters, by name.
        evaluate: The comparison's measurements.
        rows: The files of `rows` of `curate`, at least one, in order.
        curves: `curve.parquet` of every adapter, by name.
        losses: `losses.parquet` of `evaluate`.
        samples: `samples.parquet` of `evaluate`.
    """

    recipe: "Recipe"
    parts: list[Manifest]
    curate: Manifest
    split: Manifest
    training: dict[str, Manifest]
    evaluate: Manifest
    rows: list[Path]
    curves: dict[str, Path]
    losses: Path
    samples: Path
