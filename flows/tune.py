"""The flow `tune`: trains one adapter, the unit that is placed on a GPU."""

from prefect import flow

from flows import form, single
from flows.form import RecipeName, chosen
from flows.naming import named
from flows.placement import runner
from flows.refusing import refusing


@flow(
    name="tune",
    flow_run_name=named(
        lambda recipe, given: (
            form.adapters(recipe, [given["adapter"]] if given["adapter"] in recipe.training else ()) or "no adapter"
        )
    ),
    task_runner=runner(),
    persist_result=False,
)
@refusing
def tune(
    recipe: RecipeName = "quickstart",
    recipe_yaml: str = "",
    overrides: tuple[str, ...] = (),
    adapter: str = "lora",
) -> list[str]:
    """Trains one adapter on the recipe's split, which has to be there; a killed training goes on from its checkpoint.

    Args:
        recipe: A shipped recipe.
        recipe_yaml: The YAML text of a recipe of your own; it goes before the shipped one.
        overrides: Settings to change, such as `training.lora.r=16`.
        adapter: Its name in the recipe.

    Returns:
        The fingerprint of the adapter.
    """
    return single.run("train", chosen(recipe, recipe_yaml, overrides), [adapter])
