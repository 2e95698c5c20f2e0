"""The training stage: one adapter, from the split's training rows."""

import shutil
from pathlib import Path
from typing import Any

from tuner.recipe import Recipe
from tuner.settings import settings
from tuner.training import process
from tuner.training.job import METRICS, Job


def train(name: str, recipe: Recipe, data: Path, fingerprint: str, folder: Path) -> dict[str, Any]:
    """Trains an adapter in a child process; an attempt that follows a crash resumes from the last checkpoint.

    Args:
        name: The adapter's name in the recipe.
        recipe: The recipe.
        data: `train.parquet` of the split.
        fingerprint: The artifact's; it names the checkpoints, which outlive an attempt.
        folder: Gets `adapter/` and `curve.parquet`.

    Returns:
        The metrics of the artifact.

    Raises:
        InputError: If the recipe asks for what cannot be.
        TrainingError: If the training did not end well.
    """
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
