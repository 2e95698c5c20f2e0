"""The task of the stage `train`."""

from typing import Any

from prefect import task

from tasks import stage
from tasks.policy import OPTIONS


@task(name="train", task_run_name="train {label}", **OPTIONS)
def train(fingerprint: str, recipe: dict[str, Any], label: str = "") -> stage.Result:
    """Trains one adapter in a child process.

    Args:
        fingerprint: The artifact's name, which is the cache key.
        recipe: The recipe as plain data.
        label: Which of the stage's artifacts.

    Returns:
        A reference to the artifact.
    """
    return stage.run("train", fingerprint, recipe, label)
