"""The tasks of the stages: each makes an artifact, shows its metrics and returns a reference to it."""

from collections.abc import Mapping
from typing import Any

from prefect import get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.runtime import task_run
from prefect.states import Completed
from prefect.tasks import Task

from tasks import display
from tasks.policy import OPTIONS, RETRIES, is_transient
from tasks.reference import reference
from tasks.slots import slot
from tuner.artifacts.store import Store
from tuner.doctor import first_shard
from tuner.errors import TunerError
from tuner.recipe import Recipe
from tuner.registry import STAGES, planned
from tuner.settings import settings

Result = dict[str, Any] | State[dict[str, Any]]
"""A `Reference` as plain data, or the state that holds it."""


def make(stage: str, fingerprint: str, recipe: Mapping[str, Any], label: str = "") -> Result:
    """Makes one artifact of a recipe and posts its metrics.

    Args:
        stage: The stage.
        fingerprint: The artifact's fingerprint.
        recipe: The recipe as plain data.
        label: The artifact's label within the stage.

    Returns:
        A reference; in a state named `Cached` if the artifact was in the store already.
    """
    store = Store(settings().store, patient=False)
    manifest = store.find(stage, fingerprint)
    if manifest and not store.problem(manifest):
        # Prefect caches results per machine; artifacts of other workers are in the store.
        return Completed(name="Cached", message="it was in the store already", data=reference(store, manifest, label))
    try:
        parsed = Recipe.model_validate(recipe)
        with slot(stage), display.shown(stage, label), first_shard.watched(stage, label, parsed, store):
            manifest = STAGES[stage].make(parsed, planned(parsed).one(stage, label), store)
    except TunerError as error:
        if not is_transient(error) or task_run.run_count > RETRIES:
            # One readable line before Prefect's own traceback; a retry logs its cause as a warning instead.
            get_run_logger().error(str(error))
        raise
    if stage != "report":  # the flow shows its verdict, also if it is cached
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
