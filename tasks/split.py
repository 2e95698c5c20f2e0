"""The task of the stage `split`."""

from typing import Any

from prefect import task

from tasks import stage
from tasks.policy import OPTIONS


@task(name="split", task_run_name="split", **OPTIONS)
def split(fingerprint: str, recipe: dict[str, Any], label: str = "") -> stage.Result:
    """Divides the kept rows into training and validation.

    Args:
        fingerprint: The artifact's name, which is the cache key.
        recipe: The recipe as plain data.
        label: Which of the stage's artifacts.

    Returns:
        A reference to the artifact.
    """
    return stage.run("split", fingerprint, recipe, label)
