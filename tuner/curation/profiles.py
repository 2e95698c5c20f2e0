"""The profiles: which defaults the sections of `curation` take. A setting that is given wins over the profile's."""

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
