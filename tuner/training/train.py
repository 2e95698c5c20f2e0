"""The training stage: one adapter, from the split's training rows."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import StageError
from tuner.settings import settings
from tuner.splitting.metrics import Divided
from tuner.splitting.settings import Split
from tuner.training import process
from tuner.training.job import METRICS, Job
from tuner.training.metrics import Trained

if TYPE_CHECKING:
    from tuner.recipe import Recipe


def train(name: str, recipe: "Recipe", data: Path, divided: Divided, fingerprint: str, folder: Path) -> Trained:
    """Trains an adapter in a child process; an attempt that follows a crash resumes from the last checkpoint.

    Args:
        name: The adapter's name in the recipe.
        recipe: The recipe.
        data: `train.parquet` of the split.
        divided: The metrics of the split, whose `check` has to have found no leak.
        fingerprint: The artifact's; it names the checkpoints, which outlive an attempt.
        folder: Gets `adapter/` and `curve.parquet`.

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


def leak(divided: Divided, split: Split) -> str | None:
    """Why data must not be trained on: their split leaks, or nothing proves that it does not; None if all is well.

    Args:
        divided: The metrics of the split.
        split: What the recipe calls near. A check with a lower similarity finds as much and more, so it will do.
    """
    check = divided.check
    if check.exact_overlap or check.near_overlap:
        return f"{check.exact_overlap:,} validation rows are equal to and {check.near_overlap:,} near to training rows"
    if check.similarity > split.similarity or check.ngram != split.ngram:
        return (
            f"the split was checked for leaks at similarity {check.similarity} of {check.ngram}-grams, and the recipe "
            f"wants {split.similarity} of {split.ngram}-grams"
        )
    return None
