"""The check `language`: a row is in a wanted language."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from tuner.curation.check import Check, Example, Score

if TYPE_CHECKING:
    from tuner.curation.columns.batch import Batch, Findings, Flags

_ENGLISH = "The market opens at seven in the morning, and the fishermen sell what they caught during the night."
_GERMAN = "Der Markt öffnet um sieben Uhr, und die Fischer verkaufen dort, was sie in der Nacht gefangen haben."


class Language(Check):
    """Which languages are wanted.

    Attributes:
        wanted: ISO 639 codes of two letters, or three where a language has no shorter one.
        min_confidence: A row is judged only if the detector is at least so sure.
    """

    version: ClassVar = 2
    does: ClassVar = "fastText's model of 176 languages on both texts"
    reasons: ClassVar = {"wrong_language": "the row is in none of the wanted languages"}
    loosened: ClassVar = {"wrong_language": ("wanted",)}
    scores: ClassVar = (
        Score(
            "language_confidence",
            "Certainty of the language",
            "probability of the likeliest language",
            "to 1",
            lambda language: {f"judged from {language.min_confidence:g}": language.min_confidence},
            {"The check": "wrong_language"},
            lambda language: f"Wanted: {', '.join(language.wanted)}.",
            below="below the threshold: too uncertain to judge",
            labels="language",
        ),
    )
    examples: ClassVar = (
        Example("When does the fish market open?", _ENGLISH),
        Example("Translate into German: when does the market open?", _GERMAN),
        Example("Wann öffnet der Fischmarkt am Hafen?", _GERMAN, settings={"wanted": ("en", "de")}),
        Example("Wann öffnet der Fischmarkt am Hafen?", _GERMAN, ("wrong_language",)),
        Example(
            "À quelle heure ouvre le marché aux poissons ?",
            "Le marché ouvre à sept heures du matin, et les pêcheurs y vendent ce qu'ils ont pris pendant la nuit.",
            ("wrong_language",),
        ),
        Example("When does the fish market open?", _ENGLISH, ("wrong_language",), {"wanted": ("de",)}),
    )

    wanted: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...], Field(min_length=1)] = ("en",)
    min_confidence: float = Field(default=0.5, ge=0, le=1)

    def find(self, batch: "Batch", flags: "Mapping[str, Flags]") -> "Findings":
        """See `Check.find`."""
        from tuner.curation.detectors import language

        return language.check(batch, self)
