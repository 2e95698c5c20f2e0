"""What the flows of a single stage share: their steps are computed here, whoever asked for them."""

from collections.abc import Callable, Sequence
from typing import Any

from prefect.runtime import flow_run

from flows import form, placement
from flows.stopping import stoppable
from tasks import display
from tuner import planning, specs, stages
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.recipe import Recipe
from tuner.runs import Run
from tuner.settings import settings


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
        for begun in placement.here(stage, chosen, recipe.model_dump(mode="json")):
            begun.finish()
    show(recipe, store, stage)
    return [step.spec.fingerprint for step in chosen]


def show(recipe: Recipe, store: Store, until: str) -> None:
    """Posts the verdict and where the report lies, if a run got as far: cached too, for whoever opens it looks."""
    if until == "report":
        display.verdict(store, stages.present(store, specs.of_recipe(recipe).report))


def named(said: Callable[[Recipe, dict[str, Any]], str]) -> Callable[[], str]:
    """What names a flow run: the recipe's name, and what is said of it and the parameters."""

    def name() -> str:
        given = flow_run.get_parameters()
        try:
            recipe = form.chosen(given["recipe"], given["recipe_yaml"], given["overrides"])
        except InputError:
            # The flow says what is wrong; what is raised here would be a crash without a word in the run's state.
            return "refused"
        return f"{recipe.name}: {said(recipe, given)}"

    return name
