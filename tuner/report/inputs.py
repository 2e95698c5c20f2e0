"""The inputs of a report. A module of its own, so that importing it loads neither matplotlib nor Arrow."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.artifacts.manifest import Manifest

if TYPE_CHECKING:
    from tuner.recipe import Recipe


@dataclass(frozen=True)
class Inputs:
    """The artifacts that a report is made from, and local paths of the files it reads.

    Attributes:
        recipe: The recipe.
        parts: The artifacts of the stages with several: `generate`, `examine`, `match`.
        curate: The artifact of `curate`.
        split: The artifact of `split`.
        training: The artifacts of `train`, by the adapter's name.
        evaluate: The artifact of `evaluate`.
        rows: The files of the curated rows, at least one, in order.
        curves: `curve.parquet` of every adapter, by name.
        losses: `losses.parquet` of `evaluate`.
        samples: `samples.parquet` of `evaluate`.
        preference: The artifacts of `candidates` and `score`, and last that of `pair`; empty if there are none.
        pairs: The files of preference pairs, by side.
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
    preference: list[Manifest] = field(default_factory=list)
    pairs: dict[str, Path] = field(default_factory=dict)
