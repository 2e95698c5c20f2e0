"""The flow `regenerate`: draws another round of rows, retrains, and replaces the champion if the result is better."""

from prefect import flow, tags

from flows import placement
from flows.form import RecipeName, recipe_from_form
from flows.input_errors import fail_on_input_error
from flows.naming import flow_run_namer
from flows.pipeline import pipeline
from tasks.decide import decide
from tuner import loading
from tuner.artifacts.store import Store
from tuner.recipe import Recipe
from tuner.regeneration import rounds
from tuner.regeneration.contest import contest
from tuner.settings import settings


@flow(
    name="regenerate",
    flow_run_name=flow_run_namer(lambda recipe, parameters: "another round"),
    task_runner=placement.task_runner(),
    persist_result=False,
)
@fail_on_input_error
def regenerate(recipe: RecipeName = "quickstart", recipe_yaml: str = "", overrides: tuple[str, ...] = ()) -> str:
    """Draws another round of rows, trains on all of them, and lets the best new adapter challenge the champion.

    The new rows are curated together with those of earlier rounds, which stay on their side of the split. The alias
    `champion` moves only if the 95 % interval of the difference lies below 0.

    Args:
        recipe: A shipped recipe: the one of the first round.
        recipe_yaml: The YAML text of your own recipe; overrides the shipped one.
        overrides: Settings to change, such as `generation.rows=192`.

    Returns:
        The run's name.
    """
    first = recipe_from_form(recipe, recipe_yaml, overrides)
    store = Store(settings().store)
    # A round without a decision (run by hand, or interrupted) is decided first: the next one has to beat its result.
    if pending := rounds.undecided(first, store):
        _challenge(pending, store)
    return _challenge(rounds.following(first, store), store)


def _challenge(recipe: Recipe, store: Store) -> str:
    """Runs a round, with what is cached from an earlier attempt, and decides on it; returns the run's name."""
    with tags(placement.TAG):
        run = pipeline(recipe_yaml=loading.text(recipe))
    spec = contest(store, run).spec
    placement.submit_comparison(spec, run).result()
    decide(run, spec.fingerprint)
    return run
