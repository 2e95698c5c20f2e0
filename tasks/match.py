"""The task of the stage `match`."""

from typing import Any

from prefect import task

from tasks import stage
from tasks.policy import OPTIONS


@task(name="match", task_run_name="match {label}", **OPTIONS)
def match(fingerprint: str, recipe: dict[str, Any], label: str = "") -> stage.Result:
    """Finds the rows that are near to each other, in one partition.

    Args:
        fingerprint: The artifact's name, which is the cache key.
        recipe: The recipe as plain data.
        label: Which of the stage's artifacts.

    Returns:
        A reference to the artifact.
    """
    return stage.run("match", fingerprint, recipe, label)
