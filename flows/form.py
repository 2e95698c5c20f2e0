"""The parameters that a person fills in: their types give the form of the Prefect UI its choices and bounds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from tuner import loading
from tuner.recipe import Recipe
from tuner.registry import NAMES

RecipeName = Literal["quickstart", "fair", "original"]
"""The shipped recipes, as a choice."""

if TYPE_CHECKING:
    StageName = str
else:
    StageName = Literal[NAMES]
    """The stages in their order, as a choice."""

# The form renders a union badly; an empty field stands for None without being shown as a type of its own.
Rows = Annotated[int, Field(ge=1, le=100_000_000)] | SkipJsonSchema[None]
Seed = Annotated[int, Field(ge=0, lt=2**53)] | SkipJsonSchema[None]
Epochs = Annotated[float, Field(gt=0, le=1000)] | SkipJsonSchema[None]
Quality = Annotated[float, Field(ge=0, le=1)] | SkipJsonSchema[None]


def chosen(
    recipe: str,
    recipe_yaml: str = "",
    overrides: Sequence[str] = (),
    *,
    rows: int | None = None,
    seed: int | None = None,
    epochs: float | None = None,
    quality: float | None = None,
) -> Recipe:
    """The recipe that a filled-in form means.

    Args:
        recipe: The name of a shipped recipe.
        recipe_yaml: A recipe of one's own, which goes before the shipped one.
        overrides: `a.b=value` each; they go before the fields below.
        rows: Rows to draw, or None for the recipe's own number; likewise the others.
        seed: The recipe's seed.
        epochs: Of every adapter.
        quality: The least quality score.

    Raises:
        InputError: If the recipe or an override is wrong, in the words of the command line.
    """
    text = recipe_yaml.strip() or loading.read(recipe)
    source = "recipe_yaml" if recipe_yaml.strip() else recipe
    fields = {"generation.rows": rows, "seed": seed, "curation.quality.minimum": quality}
    given = [f"{key}={value}" for key, value in fields.items() if value is not None]
    if epochs is not None:
        given += [f"training.{name}.epochs={epochs}" for name in loading.parse(text, (), source).training]
    return loading.parse(text, [*given, *overrides], source)


def adapters(recipe: Recipe) -> str:
    """`lora r8, prompt_tuning 20 tokens`: the adapters of a recipe."""
    return ", ".join(f"{name} {adapter.size}" for name, adapter in recipe.training.items())
