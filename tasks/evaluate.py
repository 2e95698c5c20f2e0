"""The task of the stage `evaluate`."""

from typing import Any

from prefect import task

from tasks import stage
from tasks.policy import OPTIONS


@task(name="evaluate", task_run_name="evaluate", **OPTIONS)
def evaluate(fingerprint: str, recipe: dict[str, Any], label: str = "") -> stage.Result:
    """Measures the base model and all adapters with one evaluator.

    Args:
        fingerprint: The artifact's name, which is the cache key.
        recipe: The recipe as plain data.
        label: Which of the stage's artifacts.

    Returns:
        A reference to the artifact.
    """
    return stage.run("evaluate", fingerprint, recipe, label)
