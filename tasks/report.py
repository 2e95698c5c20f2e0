"""The task of the stage `report`."""

from typing import Any

from prefect import task

from tasks import stage
from tasks.policy import OPTIONS


@task(name="report", task_run_name="report", **OPTIONS)
def report(fingerprint: str, recipe: dict[str, Any], label: str = "") -> stage.Result:
    """Writes the report.

    Args:
        fingerprint: The artifact's name, which is the cache key.
        recipe: The recipe as plain data.
        label: Which of the stage's artifacts.

    Returns:
        A reference to the artifact.
    """
    return stage.run("report", fingerprint, recipe, label)
