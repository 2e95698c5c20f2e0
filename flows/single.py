"""Runs the steps of a single stage in this process: the common part of the flows in `flows.stages`."""

from collections.abc import Sequence

from flows import placement, scheduling
from flows.stopping import stoppable
from tasks import display
from tuner import planning, races
from tuner.artifacts.store import Store
from tuner.recipe import Recipe
from tuner.registry import planned
from tuner.report.metrics import Reported
from tuner.runs import Run
from tuner.settings import settings
from tuner.stage import require_artifact


def run(stage: str, recipe: Recipe, labels: Sequence[str] = ()) -> list[str]:
    """Computes steps of one stage and records a run that refers to them, if the recipe has none yet.

    Args:
        stage: The stage.
        recipe: The recipe.
        labels: The labels of the steps to run; by default all.

    Returns:
        The fingerprints of the artifacts.

    Raises:
        InputError: If a label matches no step, or the store cannot be used.
        StageError: If a step fails, or one of its inputs is missing.
    """
    store = Store(settings().store)
    recipe = races.known(recipe, store)
    steps = planning.stage_steps(recipe, store, stage, labels)
    with Run.ensure_recorded(store, recipe, stage), stoppable(None):
        scheduling.run(
            placement.local_groups(stage, steps, recipe.model_dump(mode="json")), placement.lanes(), lambda group: None
        )
    show(recipe, store, stage)
    return [step.spec.fingerprint for step in steps]


def show(recipe: Recipe, store: Store, until: str) -> str:
    """Posts the verdict and the report's address in the flow run, cached or not, if the run includes the report.

    Returns:
        The verdict's first line, or the last stage of the run.
    """
    if until != "report":
        return f"complete up to {until}"
    report = require_artifact(store, planned(recipe).one("report"))
    display.verdict(store, report)
    return Reported.read(report).verdict[0]
