"""Which curation a person asks for: a recipe's, or the default one, and what `--set` changes of it."""

from collections.abc import Sequence

import yaml

from tuner import loading
from tuner.curation.settings import Curation
from tuner.errors import InputError

_ELSE = {
    "name": "own-data",
    "models.generator": "own/data",
    "models.student": "own/data",
    "generation.rows": "1",
    "training.none.method": "lora",
}
"""What a recipe needs besides, and curation never reads. So a recipe may here be its `curation` section alone."""


def curation_of(recipe: str | None, overrides: Sequence[str] = ()) -> Curation:
    """The curation of a recipe.

    Args:
        recipe: A path, or the name of a shipped recipe; None for the defaults.
        overrides: `curation.a.b=value` each.

    Raises:
        InputError: If anything about it is wrong.
    """
    for override in overrides:
        if not override.startswith("curation."):
            raise InputError(f"--set {override}: only what curates is set here: curation.a.b=value")
    text = "{}" if recipe is None else loading.read(recipe)
    given = _sections(text)
    needed = [f"{key}={value}" for key, value in _ELSE.items() if key.partition(".")[0] not in given]
    return loading.parse(text, [*needed, *overrides], recipe or "--set").curation


def _sections(text: str) -> set[str]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:  # which `parse` explains
        return set()
    return set(data) if isinstance(data, dict) else set()
