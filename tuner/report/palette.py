"""The colours of the report, one per role, in light and dark mode; a subject has the same colour in every figure.

The hues of the subjects are Okabe and Ito's (jfly.uni-koeln.de/color), distinct for colour-blind readers.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tone:
    """A colour in both modes, as hex triplets.

    Attributes:
        light: On a light background; figures are drawn with it.
        dark: On a dark background; the page replaces the light colour with it.
    """

    light: str
    dark: str


INK = Tone("#1b1f24", "#e8eaed")
MUTED = Tone("#5c6570", "#a2abb5")
LINE = Tone("#d4d9df", "#3a424c")
GROUND = Tone("#ffffff", "#15191e")
DATA = Tone("#4a6d8c", "#86aacb")
LOST = Tone("#dcc9bd", "#6a5344")
LIMIT = Tone("#a3273c", "#f08a9b")
BASE = Tone("#757d87", "#9aa3ad")
ADAPTERS = (
    Tone("#0072b2", "#58b0e6"),
    Tone("#d55e00", "#ff944d"),
    Tone("#009e73", "#3ecfa3"),
    Tone("#b4558d", "#e39ac6"),
    Tone("#b07d00", "#edb73d"),
    Tone("#3a86a8", "#8fcdec"),
)

ROLES = {
    "ink": INK,
    "muted": MUTED,
    "line": LINE,
    "ground": GROUND,
    "data": DATA,
    "lost": LOST,
    "limit": LIMIT,
    "base": BASE,
    **{f"adapter-{index}": tone for index, tone in enumerate(ADAPTERS)},
}
"""Every tone by the name of its CSS variable. Light colours are unique, since figures are recoloured by them."""


def roles_of(subjects: Sequence[str]) -> dict[str, str]:
    """The role of every subject, the first of which is the base; hues repeat from the seventh adapter on."""
    adapters = {name: f"adapter-{index % len(ADAPTERS)}" for index, name in enumerate(subjects[1:])}
    return {subjects[0]: "base", **adapters}


def colours_of(subjects: Sequence[str]) -> dict[str, str]:
    """The light colour of every subject."""
    return {name: ROLES[role].light for name, role in roles_of(subjects).items()}
