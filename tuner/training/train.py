"""The training stage: one adapter, from the split's training rows."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import StageError
from tuner.settings import settings
from tuner.splitting.settings import Split
from tuner.training import process
from tuner.training.job import METRICS, Job

if TYPE_CHECKING:
    from tuner.recipe import Recipe


def train(
    name: str, recipe: "Recipe", data: Path, divided: Mapping[str, Any], fingerprint: str, folder: Path
) -> dict[str, Any]:
    """Trains an adapter in a child process; an attempt that follows a crash resumes from the last checkpoint.

    Args:
        name: The adapter's name in the recipe.
        recipe: The recipe.
        data: `train.parquet` of the split.
        divided: The metrics of the split, whose `check` has to have found no leak.
        fingerprint: The artifact's; it names the checkpoints, which outlive an attempt.
        folder: Gets `adapter/` and `curve.parquet`.

    Returns:
        The metrics of the artifact.

    Raises:
        InputError: If the recipe asks for what cannot be.
        StageError: If the split was not checked for leaks as the recipe wants it, or leaks.
        TrainingError: If the training did not end well.
    """
    if fault := leak(divided, recipe.split):
        raise StageError(f"train {name}: {fault}; nothing was trained: make the split anew")
    checkpoints = settings().folder("checkpoints") / fingerprint
    # The results of an attempt that was cut off while it wrote them are not its successor's.
    output = checkpoints / "output"
    shutil.rmtree(output, ignore_errors=True)
    job = Job(
        adapter=name,
        settings=recipe.training[name],
        student=recipe.models.student,
        generator=recipe.models.generator,
        seed=recipe.seed,
        data=data.absolute(),
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


def leak(divided: Mapping[str, Any], split: Split) -> str | None:
    """Why data must not be trained on: their split leaks, or nothing proves that it does not; None if all is well.

    Args:
        divided: The metrics of the split.
        split: What the recipe calls near. A check with a lower similarity finds as much and more, so it will do.
    """
    check = divided.get("check")
    if not isinstance(check, Mapping):
        return "the split was never checked for leaks"
    counts = [check.get(name) for name in ("exact_overlap", "near_overlap")]
    similarity, ngram = check.get("similarity"), check.get("ngram")
    if not all(isinstance(count, int) for count in counts) or not isinstance(similarity, int | float):
        return "the split's check for leaks is not complete"
    if any(counts):
        return f"{counts[0]:,} validation rows are equal to and {counts[1]:,} near to training rows"
    if similarity > split.similarity or ngram != split.ngram:
        return (
            f"the split was checked for leaks at similarity {similarity} of {ngram}-grams, and the recipe wants "
            f"{split.similarity} of {split.ngram}-grams"
        )
    return None
