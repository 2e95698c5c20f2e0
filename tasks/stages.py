"""The tasks of the stages: each makes an artifact, shows it and returns a reference to it."""

from collections.abc import Mapping
from typing import Any

from prefect import get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.runtime import task_run
from prefect.states import Completed
from prefect.tasks import Task

from tasks import display
from tasks.policy import OPTIONS, RETRIES, passes_next_time
from tasks.reference import reference
from tasks.slots import slot
from tuner.artifacts.store import Store
from tuner.errors import TunerError
from tuner.recipe import Recipe
from tuner.registry import STAGES, planned
from tuner.settings import settings

Result = dict[str, Any] | State[dict[str, Any]]
"""A `Reference` as plain data, or the state that holds it."""


def make(stage: str, fingerprint: str, recipe: Mapping[str, Any], label: str = "") -> Result:
    """Makes one artifact of a recipe and posts its figures.

    Args:
        stage: The stage.
        fingerprint: The artifact's.
        recipe: The recipe as plain data.
        label: Which of the stage's artifacts.

    Returns:
        A reference; in a state that says `Cached` where the artifact was there already, made by whomever.
    """
    store = Store(settings().store, patient=False)
    found = store.find(stage, fingerprint)
    if found and not store.problem(found):
        # Prefect remembers results by machine; what another worker made is in the store.
        return Completed(name="Cached", message="it was in the store", data=reference(store, found, label))
    try:
        with slot(stage), display.shown(stage, label):
            chosen = Recipe.model_validate(recipe)
            manifest = STAGES[stage].make(chosen, planned(chosen).one(stage, label), store)
    except TunerError as error:
        if not passes_next_time(error) or task_run.run_count > RETRIES:
            # One line a person can read, before Prefect's own with its traceback; of a retry its warning says as much.
            get_run_logger().error(str(error))
        raise
    if stage != "report":  # its verdict is shown by the flow, made or cached
        display.table(manifest, label)
    return reference(store, manifest, label)


def _task(stage: str) -> Task[..., Any]:
    @task(name=stage, task_run_name=lambda: f"{stage} {task_run.get_parameters()['label']}".strip(), **OPTIONS)
    def run(fingerprint: str, recipe: dict[str, Any], label: str = "") -> Result:
        return make(stage, fingerprint, recipe, label)

    return run


TASKS: dict[str, Task[..., Any]] = {stage: _task(stage) for stage in STAGES}
"""The task of every stage, by its name. Its parameters are the fingerprint of an artifact, which is the cache key, the
recipe as plain data, and the artifact's label."""
