"""The task of the stage `curate`."""

from typing import Any

from prefect import task

from tasks import stage
from tasks.policy import OPTIONS


@task(name="curate", task_run_name="curate", **OPTIONS)
def curate(fingerprint: str, recipe: dict[str, Any], label: str = "") -> stage.Result:
    """Gives every row its verdict, reasons and scores.

    Args:
        fingerprint: The artifact's name, which is the cache key.
        recipe: The recipe as plain data.
        label: Which of the stage's artifacts.

    Returns:
        A reference to the artifact.
    """
    return stage.run("curate", fingerprint, recipe, label)
