"""The task of the stage `generate`."""

from typing import Any

from prefect import task

from tasks import stage
from tasks.policy import OPTIONS


@task(name="generate", task_run_name="generate {label}", **OPTIONS)
def generate(fingerprint: str, recipe: dict[str, Any], label: str = "") -> stage.Result:
    """Draws one shard of rows.

    Args:
        fingerprint: The artifact's name, which is the cache key.
        recipe: The recipe as plain data.
        label: Which of the stage's artifacts.

    Returns:
        A reference to the artifact.
    """
    return stage.run("generate", fingerprint, recipe, label)
