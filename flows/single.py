"""What the flows of a single stage share: their steps are computed here, whoever asked for them."""

from collections.abc import Sequence

from flows import placement, scheduling
from flows.stopping import stoppable
from tasks import display
from tuner import planning
from tuner.artifacts.store import Store
from tuner.recipe import Recipe
from tuner.registry import planned
from tuner.report.metrics import Reported
from tuner.runs import Run
from tuner.settings import settings
from tuner.stage import present


def run(stage: str, recipe: Recipe, labels: Sequence[str] = ()) -> list[str]:
    """Computes steps of one stage and records a run that refers to them, if the recipe has none yet.

    Args:
        stage: The stage.
        recipe: The recipe.
        labels: Which of the stage's steps; by default all.

    Returns:
        The fingerprints of the artifacts.

    Raises:
        InputError: If a label names no step, or the store cannot be used.
        StageError: If a step fails, or what it reads is missing.
    """
    store = Store(settings().store)
    chosen = planning.some(recipe, store, stage, labels)
    with Run.referring(store, recipe, stage), stoppable(None):
        scheduling.run(
            placement.here(stage, chosen, recipe.model_dump(mode="json")), placement.lanes(), lambda group: None
        )
    show(recipe, store, stage)
    return [step.spec.fingerprint for step in chosen]


def show(recipe: Recipe, store: Store, until: str) -> str:
    """Posts the verdict and where the report lies, if a run got as far: cached too, for whoever opens it looks.

    Returns:
        The verdict's first line, or which stage was the last.
    """
    if until != "report":
        return f"complete up to {until}"
    report = present(store, planned(recipe).one("report"))
    display.verdict(store, report)
    return Reported.read(report).verdict[0]
