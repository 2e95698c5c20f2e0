"""The task of the stage `examine`."""

from typing import Any

from prefect import task

from tasks import stage
from tasks.policy import OPTIONS


@task(name="examine", task_run_name="examine {label}", **OPTIONS)
def examine(fingerprint: str, recipe: dict[str, Any], label: str = "") -> stage.Result:
    """Says of every row of a shard what can be said of it alone.

    Args:
        fingerprint: The artifact's name, which is the cache key.
        recipe: The recipe as plain data.
        label: Which of the stage's artifacts.

    Returns:
        A reference to the artifact.
    """
    return stage.run("examine", fingerprint, recipe, label)
