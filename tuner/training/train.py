"""Trains one adapter on the split's training rows."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import StageError
from tuner.settings import settings
from tuner.splitting.metrics import SplitMetrics
from tuner.splitting.settings import Split
from tuner.splitting.sides import PURPOSES, SIDES, TRAIN, TUNING
from tuner.training import process
from tuner.training.job import METRICS, Job
from tuner.training.metrics import Trained

if TYPE_CHECKING:
    from tuner.recipe import Recipe


@dataclass(frozen=True)
class Inputs:
    """The files to train with.

    Attributes:
        sides: The rows or pairs to train on and, if there are any, to choose by, by side.
        reference: The likelihoods of the pairs under the reference, by side; empty if there is none.
        start: The folder of the adapter to go on from.
    """

    sides: Mapping[str, Path]
    reference: Mapping[str, Path] = field(default_factory=dict[str, Path])
    start: Path | None = None

    @staticmethod
    def of(files: Mapping[str, Path], side: int) -> Path | None:
        """The absolute path of the file of a side, if there is one."""
        return files[SIDES[side]].absolute() if SIDES[side] in files else None


def train(
    name: str,
    recipe: "Recipe",
    inputs: Inputs,
    split_metrics: SplitMetrics,
    fingerprint: str,
    folder: Path,
) -> Trained:
    """Trains an adapter in a child process; after a crash, the next attempt resumes from the last checkpoint.

    Args:
        name: The adapter's name in the recipe.
        recipe: The recipe.
        inputs: The files to train with.
        split_metrics: The split's metrics; its leak check must have found no leaks.
        fingerprint: The artifact's fingerprint; it names the folder of the checkpoints.
        folder: The folder for `adapter/` and `curve.parquet`.

    Raises:
        InputError: If the recipe cannot be trained as it is.
        StageError: If the split leaks, or was not checked for leaks with the recipe's settings.
        TrainingError: If the training failed.
    """
    if problem := leak(split_metrics, recipe.split):
        raise StageError(f"train {name}: {problem}; nothing was trained: make the split again")
    checkpoints = settings().folder("checkpoints") / fingerprint
    # An interrupted attempt may have left incomplete results.
    output = checkpoints / "output"
    shutil.rmtree(output, ignore_errors=True)
    job = Job(
        adapter=name,
        settings=recipe.training[name],
        models=recipe.models,
        seed=recipe.seed,
        data=inputs.sides[SIDES[TRAIN]].absolute(),
        tuning=inputs.of(inputs.sides, TUNING),
        reference=inputs.of(inputs.reference, TRAIN),
        tuning_reference=inputs.of(inputs.reference, TUNING),
        start=inputs.start.absolute() if inputs.start else None,
        output=output,
        checkpoints=checkpoints,
    )
    metrics = process.train(job, settings().train_timeout)
    folder.mkdir(parents=True, exist_ok=True)
    for path in output.iterdir():
        if path.name != METRICS:
            shutil.move(path, folder / path.name)
    shutil.rmtree(checkpoints)
    return metrics


def leak(split_metrics: SplitMetrics, split: Split) -> str | None:
    """Why data must not be trained on: the split leaks, or its check was too weak; None if it may be used.

    Args:
        split_metrics: The split's metrics.
        split: The recipe's settings. A check with a lower similarity finds at least as much, so it is sufficient.
    """
    for side, other, check in split_metrics.checks:
        if check.exact_overlap or check.near_overlap:
            return (
                f"{check.exact_overlap:,} {PURPOSES[side]} rows are equal and {check.near_overlap:,} similar to "
                f"{PURPOSES[other]} rows"
            )
        if check.similarity > split.similarity or check.ngram != split.ngram:
            return (
                f"the split was checked for leaks at similarity {check.similarity} of {check.ngram}-grams, but the "
                f"recipe requires {split.similarity} of {split.ngram}-grams"
            )
    return None
