"""The flow `examine`: examines a group of shards; a pipeline of very many shards divides itself with it."""

from prefect import flow

from flows import generate, single
from flows.form import RecipeName, chosen
from flows.naming import named
from flows.placement import runner
from flows.refusing import refusing


@flow(
    name="examine",
    flow_run_name=named(lambda recipe, given: f"examine {generate.shards(tuple(given['shards']))}"),
    task_runner=runner(),
    persist_result=False,
)
@refusing
def examine(
    recipe: RecipeName = "quickstart",
    recipe_yaml: str = "",
    overrides: tuple[str, ...] = (),
    shards: tuple[str, ...] = (),
) -> list[str]:
    """Examines shards of a recipe's rows, which have to be there.

    Args:
        recipe: A shipped recipe.
        recipe_yaml: The YAML text of a recipe of your own; it goes before the shipped one.
        overrides: Settings to change.
        shards: Their names as the plan has them, such as `shard 3` or `round 2 shard 1`; by default all.

    Returns:
        The fingerprints of what was examined.
    """
    return single.run("examine", chosen(recipe, recipe_yaml, overrides), shards)
