"""The flow `regenerate`: the pipeline under the next seed, for data that are drawn anew on a schedule."""

from prefect import flow

from flows.pipeline import pipeline
from tuner import loading, runs
from tuner.artifacts.store import Store
from tuner.settings import settings


@flow(name="regenerate", persist_result=False)
def regenerate(recipe: str = "quickstart", overrides: list[str] | None = None) -> str:
    """Runs the pipeline under the seed after the highest that any run of this recipe has completed.

    Args:
        recipe: The name of a shipped recipe, or a recipe's YAML text.
        overrides: Settings to change, such as `generation.rows=192`.

    Returns:
        The run's name.
    """
    given = list(overrides or [])
    chosen = loading.named(recipe, given)
    store = Store(settings().store)
    records = [runs.find(store, name) for name in store.run_names()]
    done = [
        record["recipe"]["seed"]
        for record in records
        if record["recipe"]["name"] == chosen.name and record["state"] == "completed"
    ]
    seed = max(done, default=chosen.seed - 1) + 1
    return pipeline(recipe=recipe, overrides=[*given, f"seed={seed}"])
