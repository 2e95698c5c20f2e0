"""What all stage tasks share: make the artifact, show it, return a reference to it."""

from collections.abc import Mapping
from typing import Any

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import task_run
from prefect.states import Completed

from tasks import display
from tasks.policy import RETRIES, passes_next_time
from tasks.reference import reference
from tasks.slots import slot
from tuner import stages
from tuner.artifacts.store import Store
from tuner.errors import TunerError
from tuner.recipe import Recipe
from tuner.settings import settings

Result = dict[str, Any] | State[dict[str, Any]]
"""A `Reference` as plain data, or the state that holds it."""


def run(stage: str, fingerprint: str, recipe: Mapping[str, Any], label: str = "") -> Result:
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
            manifest = stages.make(Recipe.model_validate(recipe), stage, label, store)
    except TunerError as error:
        if not passes_next_time(error) or task_run.run_count > RETRIES:
            # One line a person can read, before Prefect's own with its traceback; of a retry its warning says as much.
            get_run_logger().error(str(error))
        raise
    if stage != "report":  # its verdict is shown by the flow, made or cached
        display.table(manifest, label)
    return reference(store, manifest, label)
