"""The profiles: which defaults the sections of `curation` take. A setting that is given wins over the profile's."""

import json
from collections.abc import Mapping
from typing import Any, Literal

Profile = Literal["magpie", "own-data"]

MAGPIE: Profile = "magpie"
OWN_DATA: Profile = "own-data"

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    # A model that was asked nothing: what is short, long or in another language is a failure. The sections' defaults.
    "magpie": {},
    # Rows that people chose: who asks for one word gets one word, and the language is theirs.
    "own-data": {
        "form": {"instruction_words": (1, 20_000), "response_words": (1, 20_000)},
        "language": None,
        "quality": {"minimum": 0.0},
    },
}
"""By profile, the settings that differ from the sections' own defaults."""

_CHOSEN = ("file", "hub")
"""The sources whose rows people chose."""


def with_defaults(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `curation` that are given, with those of a profile where nothing is.

    Args:
        given: By section; a section may be a mapping or made already.
        defaults: Those of the profile, as in `DEFAULTS`.
    """
    settings = dict(given)
    for name, default in defaults.items():
        section = settings.get(name, default)
        both = isinstance(section, Mapping) and isinstance(default, Mapping)
        settings[name] = {**default, **section} if both else section
    return settings


def for_sources(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's data in which rows that people chose are curated as such, unless it names a profile.

    If all sources are of that kind the whole recipe has their profile; if only some are, each of these gets the
    settings that differ as its own.
    """
    generation, curation = recipe.get("generation"), recipe.get("curation") or {}
    if not isinstance(generation, Mapping) or not isinstance(curation, Mapping) or "profile" in curation:
        return dict(recipe)
    sources = generation.get("sources", {"": generation})
    if not isinstance(sources, Mapping):
        return dict(recipe)
    own = [name for name, each in sources.items() if isinstance(each, Mapping) and each.get("source") in _CHOSEN]
    if len(own) == len(sources):
        return {**recipe, "curation": {**curation, "profile": OWN_DATA}}
    settings = with_defaults(curation, DEFAULTS[OWN_DATA])
    # As plain data, for it stays in the recipe.
    differing = json.loads(json.dumps({name: settings[name] for name in DEFAULTS[OWN_DATA]}))
    changed = {name: {"curation": differing, **sources[name]} for name in own}
    return {**recipe, "generation": {**generation, "sources": {**sources, **changed}}} if own else dict(recipe)
