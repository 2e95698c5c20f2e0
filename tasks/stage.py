"""What all stage tasks share: make the artifact, show it, return a reference to it."""

from collections.abc import Mapping
from typing import Any

from tasks import display
from tasks.reference import reference
from tuner import stages
from tuner.artifacts.store import Store
from tuner.recipe import Recipe
from tuner.settings import settings


def run(stage: str, recipe: Mapping[str, Any], label: str = "") -> dict[str, Any]:
    """Makes one artifact of a recipe and posts its figures.

    Args:
        stage: The stage.
        recipe: The recipe as plain data.
        label: Which of the stage's artifacts.

    Returns:
        A `Reference` as plain data.
    """
    store = Store(settings().store)
    with display.shown(stage, label):
        manifest = stages.make(Recipe.model_validate(recipe), stage, label, store)
    if stage == "report":
        display.verdict(store, manifest)
    else:
        display.table(manifest, label)
    return reference(store, manifest, label)
