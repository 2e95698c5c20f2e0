"""The flow `report`: writes the report of a recipe whose adapters are measured."""

from prefect import flow

from flows import single
from flows.form import RecipeName, chosen
from flows.naming import named
from flows.placement import runner
from flows.refusing import refusing


@flow(
    name="report",
    flow_run_name=named(lambda recipe, given: "report"),
    task_runner=runner(),
    persist_result=False,
)
@refusing
def report(
    recipe: RecipeName = "quickstart",
    recipe_yaml: str = "",
    overrides: tuple[str, ...] = (),
) -> list[str]:
    """Writes the report of a recipe whose adapters are measured.

    Args:
        recipe: A shipped recipe.
        recipe_yaml: The YAML text of a recipe of your own; it goes before the shipped one.
        overrides: Settings to change, such as `evaluation.samples=8`.

    Returns:
        The artifact's fingerprint.
    """
    return single.run("report", chosen(recipe, recipe_yaml, overrides))
