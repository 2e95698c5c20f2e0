"""The flow `generate`: draws a group of shards."""

from prefect import flow

from flows import single
from flows.form import RecipeName, chosen
from flows.naming import named
from flows.placement import runner
from flows.refusing import refusing


def shards(labels: tuple[str, ...]) -> str:
    """`shard 1 to shard 8`, `round 2 shard 1`, or `all shards`."""
    if not labels:
        return "all shards"
    return labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"


@flow(
    name="generate",
    flow_run_name=named(lambda recipe, given: shards(tuple(given["shards"]))),
    task_runner=runner(),
    persist_result=False,
)
@refusing
def generate(
    recipe: RecipeName = "quickstart",
    recipe_yaml: str = "",
    overrides: tuple[str, ...] = (),
    shards: tuple[str, ...] = (),
) -> list[str]:
    """Draws shards of a recipe's rows; those that are there already are not drawn again.

    Args:
        recipe: A shipped recipe.
        recipe_yaml: The YAML text of a recipe of your own; it goes before the shipped one.
        overrides: Settings to change, such as `generation.rows=192`.
        shards: Their names as the plan has them, such as `shard 3` or `round 2 shard 1`; by default all.

    Returns:
        The fingerprints of the shards.
    """
    return single.run("generate", chosen(recipe, recipe_yaml, overrides), shards)
