"""The check `repetition`: a response does not say the same over and over."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from tuner.curation.check import Check, Example, Score

if TYPE_CHECKING:
    from tuner.curation.columns.batch import Batch, Findings, Flags

_GOPHER = {
    "repeated_lines": "too much of the response is lines or paragraphs that were there before (Gopher)",
    "frequent_ngram": "one phrase of 2 to 4 words makes up too much of the response (Gopher)",
    "repeated_ngrams": "too much of the response is phrases of 5 to 10 words that were there before (Gopher)",
}
_ASKED = "How is a wooden boat built?"
_PLAIN = (
    "First the keel is laid, a long beam of oak that carries all the rest. Frames are bent under steam and set along "
    "it like ribs. Planks are then nailed to the frames from below upwards, and every seam is stuffed with cotton and "
    "sealed with tar. Last come deck, mast and paint."
)
_LINES = "\n".join(("- Measure every plank.", "- Bend the planks in steam.", "- Nail them to the frames."))


def _ratio(column: str, title: str, reason: str) -> Score:
    return Score(
        column,
        title,
        "measured / allowed, the largest of its ratios",
        "ratio",
        lambda repetition: {"limit": 1.0},
        {"The threshold": reason},
    )


class Repetition(Check):
    """How often a response may say the same.

    Attributes:
        max_word_share: The highest share of one content word in the response that passes.
        max_phrase_repeats: A 3-, 4- or 5-gram that occurs more often than this fails.
        gopher: Whether the repetition rules of Gopher are applied too.
    """

    version: ClassVar = 1
    does: ClassVar = (
        "one content word's share of the response; a phrase of 3 to 5 words; the thirteen limits of Table A1 of "
        "arXiv 2112.11446"
    )
    reasons: ClassVar = {
        "repeated_word": "one content word makes up more of the response than allowed",
        "repeated_phrase": "a phrase of 3 to 5 words occurs in the response more often than allowed",
        **_GOPHER,
    }
    scores: ClassVar = (
        Score(
            "repetition_ratio",
            "Most frequent word",
            "share of one content word in the response",
            "from 0",
            lambda repetition: {f"most {repetition.max_word_share:g}": repetition.max_word_share},
            {"The threshold": "repeated_word"},
        ),
        _ratio("gopher_lines", "Repeated lines (Gopher)", "repeated_lines"),
        _ratio("gopher_top_ngram", "Most frequent phrase (Gopher)", "frequent_ngram"),
        _ratio("gopher_repeated_ngrams", "Repeated phrases (Gopher)", "repeated_ngrams"),
    )
    examples: ClassVar = (
        Example(_ASKED, _PLAIN),
        Example(_ASKED, f"{_PLAIN}\n\n{_LINES}"),
        Example(_ASKED, "Keel, frames, planks, deck, mast. Keel first, mast last. That is all there is to it."),
        Example(
            _ASKED,
            "Boat " * 5 + "is a word that I like to say, and so I do.",
            ("repeated_word",),
            {"max_word_share": 0.2},
        ),
        Example(_ASKED, "Lay the keel. " * 4 + "Then bend the frames and nail the planks.", ("repeated_phrase",)),
        Example(
            _ASKED,
            "\n".join([*_PLAIN.split(". "), *["Nail it, caulk it and paint it well."] * 4]),
            ("repeated_phrase", "repeated_lines", "frequent_ngram", "repeated_ngrams"),
        ),
        Example(
            _ASKED,
            _PLAIN + " Bend the frames." * 12,
            ("repeated_phrase", "frequent_ngram", "repeated_ngrams"),
        ),
    )

    max_word_share: float = Field(default=0.3, ge=0, le=1)
    max_phrase_repeats: int = Field(default=3, ge=1)
    gopher: bool = True

    def off(self) -> dict[str, str]:
        """See `Check.off`."""
        return {} if self.gopher else dict.fromkeys(_GOPHER, "repetition.gopher is false")

    def find(self, batch: "Batch", flags: "Mapping[str, Flags]") -> "Findings":
        """See `Check.find`."""
        from tuner.curation.columns.batch import merge
        from tuner.curation.detectors import gopher, repetition

        first = repetition.check(batch, self)
        return merge(first, gopher.check(batch, self)) if self.gopher else first
