"""The flow `regenerate`: another round of rows, and the champion replaced if what is trained on them is better."""

from prefect import flow, tags

from flows import placement
from flows.form import RecipeName, chosen
from flows.naming import named
from flows.pipeline import pipeline
from flows.refusing import refusing
from tasks.decide import decide
from tuner import loading
from tuner.artifacts.store import Store
from tuner.recipe import Recipe
from tuner.regeneration import rounds
from tuner.regeneration.contest import contest
from tuner.settings import settings


@flow(
    name="regenerate",
    flow_run_name=named(lambda recipe, given: "another round"),
    task_runner=placement.runner(),
    persist_result=False,
)
@refusing
def regenerate(recipe: RecipeName = "quickstart", recipe_yaml: str = "", overrides: tuple[str, ...] = ()) -> str:
    """Draws another round of rows, trains on all of them, and lets the best new adapter challenge the champion.

    The new rows are curated together with those of earlier rounds, which all stay, each on its side of the split. The
    alias `champion` moves only if the challenger is better beyond the 95 % interval.

    Args:
        recipe: A shipped recipe, that of the first round.
        recipe_yaml: The YAML text of a recipe of your own; it goes before the shipped one.
        overrides: Settings to change, such as `generation.rows=192`.

    Returns:
        The run's name.
    """
    first = chosen(recipe, recipe_yaml, overrides)
    store = Store(settings().store)
    # A round that was made by hand, or whose decision was cut off, is what the next one has to beat.
    if waiting := rounds.undecided(first, store):
        _challenge(waiting, store)
    return _challenge(rounds.following(first, store), store)


def _challenge(recipe: Recipe, store: Store) -> str:
    """Runs a round, which is cached as far as it was run before, and decides on it; returns the run's name."""
    with tags(placement.TAG):
        run = pipeline(recipe_yaml=loading.text(recipe))
    spec = contest(store, run).spec
    placement.compared(spec, run).result()
    decide(run, spec.fingerprint)
    return run
