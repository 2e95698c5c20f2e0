"""The kinds of tags, each with the question that a judge is asked and the labels that it chooses from.

They are modelled on Magpie's tagging (arXiv 2406.08464, appendix): difficulty, quality and category of what the user
asks. There the judge writes JSON that is parsed; here the label is the likeliest of a list, so that every row has one.
The category `everyday` and the names are those of `generation.categories`; the intents are this project's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tuner.generation.categories import SHIPPED
from tuner.generation.languages import LANGUAGES

Kind = Literal["difficulty", "quality", "category", "intent", "language"]


@dataclass(frozen=True)
class Tag:
    """A kind of tag.

    Attributes:
        question: What the judge is asked.
        labels: The labels as they are stored, each with the words of the judge's answer.
        ordered: Whether the labels are a scale, from the lowest to the highest.
        listed: Whether the question lists the labels.
    """

    question: str
    labels: Mapping[str, str]
    ordered: bool = False
    listed: bool = True

    @property
    def asked(self) -> str:
        """The question, with the labels if it lists them."""
        return (
            f"{self.question} Answer with one of: {', '.join(self.labels.values())}." if self.listed else self.question
        )


def _same(*labels: str) -> dict[str, str]:
    return {label: label for label in labels}


TAGS: Mapping[Kind, Tag] = {
    "difficulty": Tag(
        "How difficult is this request to answer well?",
        _same("very easy", "easy", "medium", "hard", "very hard"),
        ordered=True,
    ),
    "quality": Tag(
        "How good is this request: is it clear, specific and complete?",
        _same("very poor", "poor", "average", "good", "excellent"),
        ordered=True,
    ),
    "category": Tag("What kind of task is this request?", _same(*SHIPPED, "other")),
    "intent": Tag(
        "What does the user want from this request?",
        _same("fact", "explanation", "solution", "text", "plan", "ideas", "opinion", "conversation"),
    ),
    "language": Tag(
        "In which language is this request written? Answer with the English name of the language.",
        LANGUAGES,
        listed=False,
    ),
}
"""The tags by kind."""

SCALES: tuple[Kind, ...] = tuple(kind for kind, tag in TAGS.items() if tag.ordered)
"""The kinds whose labels are a scale."""

REWARD = "reward"
"""The column with the reward."""


def column(kind: str) -> str:
    """The column with the label of a kind, null where a row was not judged."""
    return f"tag_{kind}"


def probability_column(kind: str) -> str:
    """The column with the probability of the label among the labels of its kind."""
    return f"tag_{kind}_probability"


def score_column(kind: str) -> str:
    """The column with the expected place on the scale of a kind, from 0 for its first label to 1 for its last."""
    return f"tag_{kind}_score"


def question(instruction: str, kind: Kind) -> str:
    """What a judge is asked about an instruction."""
    return f"A user sent this request to an AI assistant:\n\n<request>\n{instruction}\n</request>\n\n{TAGS[kind].asked}"
