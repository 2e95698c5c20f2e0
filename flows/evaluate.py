"""The flow `evaluate`: measures base and adapters on the held-out rows."""

from prefect import flow

from flows import single
from flows.form import RecipeName, chosen
from flows.naming import named
from flows.placement import runner
from flows.refusing import refusing


@flow(
    name="evaluate",
    flow_run_name=named(lambda recipe, given: "evaluate"),
    task_runner=runner(),
    persist_result=False,
)
@refusing
def evaluate(
    recipe: RecipeName = "quickstart",
    recipe_yaml: str = "",
    overrides: tuple[str, ...] = (),
) -> list[str]:
    """Measures base and adapters on the held-out rows; the adapters have to be there.

    Args:
        recipe: A shipped recipe.
        recipe_yaml: The YAML text of a recipe of your own; it goes before the shipped one.
        overrides: Settings to change, such as `evaluation.samples=8`.

    Returns:
        The artifact's fingerprint.
    """
    return single.run("evaluate", chosen(recipe, recipe_yaml, overrides))
