"""Trains one adapter on the split's training rows."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from tuner.errors import StageError
from tuner.settings import settings
from tuner.splitting.metrics import SplitMetrics
from tuner.splitting.settings import Split
from tuner.splitting.sides import PURPOSES, SIDES, TRAIN, TUNING
from tuner.stage import Work
from tuner.training import process
from tuner.training.inputs import Inputs
from tuner.training.job import METRICS, Job
from tuner.training.methods import Method
from tuner.training.metrics import Trained


def train(work: Work, adapter: Method, inputs: Inputs, seed: int, until: float | None = None) -> Trained:
    """Trains an adapter, or a leg of it, in a child process; after a crash, the next attempt resumes.

    Args:
        work: The artifact to make. Its folder gets `curve.parquet` and `adapter/`; for a leg, `state/` and
            `losses.parquet` instead.
        adapter: The method and its settings.
        inputs: The files to train with.
        seed: The seed of the training.
        until: The share of all steps after which a leg ends; None to train to the end.

    Raises:
        InputError: If the recipe cannot be trained as it is.
        StageError: If the split leaks, or was not checked for leaks with the recipe's settings.
        TrainingError: If the training failed.
    """
    if problem := leak(SplitMetrics.read(work.manifest("data")), work.recipe.split):
        label = f"{work.part.stage} {work.part.label}"
        raise StageError(f"{label}: {problem}; nothing was trained: make the split again")
    checkpoints = settings().folder("checkpoints") / work.part.fingerprint
    # An interrupted attempt may have left incomplete results.
    output = checkpoints / "output"
    shutil.rmtree(output, ignore_errors=True)
    job = Job(
        stage=work.part.stage,
        adapter=work.part.label,
        settings=adapter,
        models=work.recipe.models,
        seed=seed,
        data=inputs.sides[SIDES[TRAIN]].absolute(),
        tuning=_of(inputs.sides, TUNING),
        reference=_of(inputs.reference, TRAIN),
        tuning_reference=_of(inputs.reference, TUNING),
        start=inputs.start.absolute() if inputs.start else None,
        until=until,
        state=inputs.state.absolute() if inputs.state else None,
        processes=settings().train_processes,
        output=output,
        checkpoints=checkpoints,
    )
    try:
        metrics = process.train(job, settings().train_timeout)
    except process.TrainingDivergedError:
        shutil.rmtree(checkpoints)  # another attempt would end the same
        raise
    work.folder.mkdir(parents=True, exist_ok=True)
    for path in output.iterdir():
        if path.name != METRICS:
            shutil.move(path, work.folder / path.name)
    shutil.rmtree(checkpoints)
    return metrics


def _of(files: Mapping[str, Path], side: int) -> Path | None:
    """The absolute path of the file of a side, if there is one."""
    return files[SIDES[side]].absolute() if SIDES[side] in files else None


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
