"""The curation settings to apply: a recipe's or those of the profile `own-data`, changed by `--set`."""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from tuner import loading
from tuner.curation.profiles import OWN_DATA
from tuner.curation.settings import Curation
from tuner.errors import InputError
from tuner.reading.opening import HUB
from tuner.streams import stem

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
        recipe: A path, or the name of a shipped recipe; None for the profile `own-data`.
        overrides: `curation.a.b=value` each.

    Raises:
        InputError: If the recipe or an override is invalid.
    """
    for override in overrides:
        if not override.startswith("curation."):
            raise InputError(f"--set {override}: only curation can be set here: curation.a.b=value")
    text = f"curation: {{profile: {OWN_DATA}}}" if recipe is None else loading.read(recipe)
    sections = _sections(text)
    placeholders = [f"{key}={value}" for key, value in _PLACEHOLDERS.items() if key.partition(".")[0] not in sections]
    return loading.parse(text, [*placeholders, *overrides], recipe or "--set").curation


def columns_of(text: str | None) -> dict[str, str]:
    """What the columns hold by `--columns prompt=question,response=answer`.

    Raises:
        InputError: If it is not of that form.
    """
    if text is None:
        return {}
    parts = [pair.partition("=") for pair in text.split(",")]
    named = {holds.strip(): name.strip() for holds, _, name in parts}
    if not all(holds and name for holds, name in named.items()):
        raise InputError(f"--columns {text}: has to be of the form prompt=NAME,response=NAME")
    return named


def folder_of(place: str) -> str:
    """The name of the folder for what becomes of a file, a folder or a data set of the hub."""
    if place.startswith(HUB):
        return re.sub(r"[/:]+", "-", place.removeprefix(HUB).removeprefix("datasets/"))
    return stem(Path(place).resolve())


def _sections(text: str) -> set[str]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:  # `parse` reports it
        return set()
    return set(data) if isinstance(data, dict) else set()
