"""The curation settings to apply: a recipe's or the defaults, changed by `--set`."""

from collections.abc import Sequence

import yaml

from tuner import loading
from tuner.curation.settings import Curation
from tuner.errors import InputError

_PLACEHOLDERS = {
    "name": "own-data",
    "models.generator": "own/data",
    "models.student": "own/data",
    "generation.rows": "1",
    "training.none.method": "lora",
}
"""Required keys that curation does not read, so that a recipe may consist of its `curation` section here."""


def curation_of(recipe: str | None, overrides: Sequence[str] = ()) -> Curation:
    """The curation settings of a recipe.

    Args:
        recipe: A path, or the name of a shipped recipe; None for the defaults.
        overrides: `curation.a.b=value` each.

    Raises:
        InputError: If the recipe or an override is invalid.
    """
    for override in overrides:
        if not override.startswith("curation."):
            raise InputError(f"--set {override}: only curation can be set here: curation.a.b=value")
    text = "{}" if recipe is None else loading.read(recipe)
    sections = _sections(text)
    placeholders = [f"{key}={value}" for key, value in _PLACEHOLDERS.items() if key.partition(".")[0] not in sections]
    return loading.parse(text, [*placeholders, *overrides], recipe or "--set").curation


def _sections(text: str) -> set[str]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:  # `parse` reports it
        return set()
    return set(data) if isinstance(data, dict) else set()
