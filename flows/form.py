"""The flow parameters that a user fills in; from their types the Prefect UI takes its choices and bounds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from tuner import loading
from tuner.recipe import Recipe
from tuner.registry import NAMES

RecipeName = Literal["quickstart", "gemma", "fair", "original", "original-dpo"]
"""The names of the shipped recipes."""

if TYPE_CHECKING:
    StageName = str
else:
    StageName = Literal[NAMES]
    """The names of the stages, in their order."""

# The form renders a union badly; an empty field means None, which needs no type in the schema.
Rows = Annotated[int, Field(ge=1, le=100_000_000)] | SkipJsonSchema[None]
Seed = Annotated[int, Field(ge=0, lt=2**53)] | SkipJsonSchema[None]
Epochs = Annotated[float, Field(gt=0, le=1000)] | SkipJsonSchema[None]
Quality = Annotated[float, Field(ge=0, le=1)] | SkipJsonSchema[None]


def recipe_from_form(
    recipe: str,
    recipe_yaml: str = "",
    overrides: Sequence[str] = (),
    *,
    rows: int | None = None,
    seed: int | None = None,
    epochs: float | None = None,
    quality: float | None = None,
) -> Recipe:
    """The recipe that the values of a filled-in form describe.

    Args:
        recipe: The name of a shipped recipe.
        recipe_yaml: The user's own recipe; overrides the shipped one.
        overrides: `a.b=value` each; they take precedence over the fields below.
        rows: Rows to draw; None, here and below, leaves the recipe's value.
        seed: The recipe's seed.
        epochs: The epochs of every adapter.
        quality: The minimum quality score.

    Raises:
        InputError: If the recipe or an override is invalid; the message is that of the command line.
    """
    text = recipe_yaml.strip() or loading.read(recipe)
    source = "recipe_yaml" if recipe_yaml.strip() else recipe
    fields = {"generation.rows": rows, "seed": seed, "curation.quality.minimum": quality}
    changes = [f"{key}={value}" for key, value in fields.items() if value is not None]
    if epochs is not None:
        changes += [f"training.{name}.epochs={epochs}" for name in loading.parse(text, (), source).training]
    return loading.parse(text, [*changes, *overrides], source)


def adapter_summary(recipe: Recipe) -> str:
    """The adapters of a recipe in one line, such as `lora r8, prompt_tuning 20 tokens`."""
    return ", ".join(f"{name} {adapter.size}" for name, adapter in recipe.training.items())
