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

_ONE_OF_THE = (
    "The keel is one of the parts that come from one of the oldest oaks, the mast is one of the straightest trunks, "
    "and the oar is one of the things that a carver makes."
)
_WOODS = ("Ash", "Larch", "Pine", "Spruce", "Cedar", "Elm")
_TABLE = "\n".join(("| Wood | Keel | Oar |", "|---|---|---|", *(f"| {wood} | no | yes |" for wood in _WOODS)))
_SHANTY = "\n\n".join(
    f"{verse}\nHaul away, my bonny boys,\nand bring the anchor home."
    for verse in (
        "The gulls are calling from the quay,\nthe tide is running low,",
        "The cook has sold his copper pot\nto buy a pint of ale,",
        "The mate is dreaming of his bride\nbehind a cottage door,",
        "Now all the harbour lamps are lit\nand every rope is dry,",
    )
)
_CODE = (
    "```python\nfor i in range(5):\n    print(i)\nfor i in range(5):\n    print(i * i)\nfor i in range(5):\n"
    "    print(5 - i)\nfor i in range(5):\n    print(i + 1)\n```\nThe four loops draw the four sides."
)
_QUOTED = "\n".join(
    f'- Verse {verse} has "the boat that sailed at break of day" {where}.'
    for verse, where in (("one", "at its end"), ("two", "twice"), ("five", "as its title"), ("nine", "in the chorus"))
)
_TITLES = "\n".join(
    f"- 《老船长的故事之{name}》" for name in ("大海", "孤岛", "风暴", "灯塔", "归途", "港湾", "远方", "星空")
)


_LABELS = "\n".join(f"Plank {n}: {wood}" for n, wood in enumerate(("Old oak", "Young pine", "Old oak", "Old oak"), 1))
_AGAIN = ("Black walnut", "White ash") * 3
_POINTS = "\n".join(f"{n}. {name}" for n, name in enumerate((*_WOODS, *_AGAIN), 1))


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
        max_phrase_repeats: A response is weighed if a phrase of three words occurs more often than this.
        max_phrase_share: The highest share of a long response's prose in such phrases that passes; of n words
            `1 + 50 / n` times as much. Phrases of function words, code, tables, formulas and digits do not count.
            0 fails every response that is weighed, as the first run did, and looks for nothing else.
        gopher: Whether the repetition rules of Gopher are applied too.
    """

    version: ClassVar = 4
    does: ClassVar = (
        "one content word's share of the response; the share of phrases that recur or are said again, points of a list "
        "that recur, and runs of one phrase; the "
        "thirteen limits of Table A1 of arXiv 2112.11446, wider for short responses"
    )
    reasons: ClassVar = {
        "looping_thoughts": "the thoughts before the response run in a loop",
        "repeated_word": "one content word makes up more of the response than allowed",
        "repeated_phrase": (
            "phrases or points of a list that recur are more of the response than its length allows, or one runs on"
        ),
        **_GOPHER,
    }
    units: ClassVar = dict.fromkeys(("repeated_word", "repeated_phrase", *_GOPHER), "exchange")
    loosened: ClassVar = {
        "repeated_word": ("max_word_share",),
        "repeated_phrase": ("max_phrase_share",),
        **dict.fromkeys(_GOPHER, ("gopher",)),
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
        Example(_ASKED, f"{_PLAIN} {_ONE_OF_THE}"),
        Example("Which wood is used for what?", _TABLE),
        Example("Write a shanty with a refrain.", _SHANTY),
        Example("Print a sail in Python.", _CODE),
        Example("Which verses name the boat?", _QUOTED),
        Example("给一个系列想十个书名。", _TITLES),
        Example("Name the wood of every plank.", _LABELS),
        Example("Which woods are there?", _POINTS, ("repeated_phrase",)),
        Example(_ASKED, f"{_PLAIN} Once more: {_PLAIN}", ("repeated_phrase", "repeated_ngrams")),
        Example(_ASKED, f"{_PLAIN} The seams are sealed once more, and the seams that leak are sealed with tar."),
        Example(
            _ASKED,
            "Boat " * 5 + "is a word that I like to say, and so I do.",
            ("repeated_word",),
            {"max_word_share": 0.2},
        ),
        Example(_ASKED, _PLAIN, thoughts="Keel, then frames. Wait: is it keel, then frames? Yes, keel, then frames."),
        Example(_ASKED, _PLAIN, ("looping_thoughts",), thoughts="The keel is first." + " Wait, is it the keel?" * 8),
        Example(_ASKED, "Lay the keel. " * 4 + "Then bend the frames and nail the planks.", ("repeated_phrase",)),
        Example(
            _ASKED,
            "\n".join([*_PLAIN.split(". "), *["Nail it, caulk it and paint it well."] * 40]),
            ("repeated_phrase", "repeated_lines", "frequent_ngram", "repeated_ngrams"),
        ),
        Example(
            _ASKED, f"{_PLAIN}\n" + "".join(f"{n}. Bend the frames.\n" for n in range(1, 13)), ("repeated_phrase",)
        ),
        Example(
            _ASKED,
            _PLAIN + " Bend the frames." * 80,
            ("repeated_phrase", "frequent_ngram", "repeated_ngrams"),
        ),
    )

    max_word_share: float = Field(default=0.3, ge=0, le=1)
    max_phrase_repeats: int = Field(default=3, ge=1)
    max_phrase_share: float = Field(default=0.3, ge=0, le=1)
    gopher: bool = True

    def off(self) -> dict[str, str]:
        """See `Check.off`."""
        return {} if self.gopher else dict.fromkeys(_GOPHER, "repetition.gopher is false")

    def find(self, batch: "Batch", flags: "Mapping[str, Flags]") -> "Findings":
        """See `Check.find`."""
        from tuner.curation.columns.batch import by_unit, merge
        from tuner.curation.detectors import gopher, repetition

        def check(exchanges: "Batch") -> "Findings":
            first = repetition.check(exchanges, self)
            return merge(first, gopher.check(exchanges, self)) if self.gopher else first

        return merge(repetition.check_thoughts(batch), by_unit(batch, check, self.units))
