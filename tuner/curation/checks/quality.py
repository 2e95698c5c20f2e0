"""The check `quality`: the six-part score of the project's first run, and how many of the best are kept."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tuner.curation.check import Check, Example, Score
from tuner.section import FirstReadBy, added_field

if TYPE_CHECKING:
    from tuner.curation.columns.batch import Batch, Findings, Flags

Limit = Annotated[int | None, FirstReadBy("curate"), Field(ge=1)]

_ANSWER = (
    "Boil the potatoes in salted water until a knife slides in. Pour the water off, let the steam leave, and press "
    "them while they are hot. Stir in warm milk and butter, then salt and a little nutmeg."
)
_REFUSING = "I can't help with murder. " + "kill " * 20
_LOOPING = "mash " * 30


class Quality(Check):
    """The six-part score and what it decides.

    Attributes:
        minimum: The lowest score that passes.
        target: If more than 1.2 times as many rows of a round survive everything else, only this many of them are kept,
            the best.
        top_k: At most so many rows of a round are kept, the best.
        by: What the best rows have most of, among duplicates too: this `score`, the `reward` of `judging`, or the
            place on the scale of its tags `quality` or `difficulty`.
    """

    version: ClassVar = 2
    does: ClassVar = "the first run's six weighted parts; `minimum`, and `top_k` or `target`"
    reasons: ClassVar = {"low_quality": "the quality score is lower than allowed"}
    choices: ClassVar = {"below_target": "enough better rows were kept"}
    loosened: ClassVar = {"low_quality": ("minimum",), "below_target": ("target", "top_k")}
    scores: ClassVar = (
        Score(
            "quality",
            "Quality score",
            "quality score",
            "to 1",
            lambda quality: {f"least {quality.minimum:g}": quality.minimum},
            {"The threshold": "low_quality"},
        ),
    )
    columns: ClassVar = tuple(
        f"quality_{part}" for part in ("length", "language", "repetition", "format", "toxicity", "content")
    )
    examples: ClassVar = (
        Example("How do I make mashed potatoes?", _ANSWER),
        Example("Mashed potatoes with butter, please.", _ANSWER, settings={"minimum": 0.8}),
        Example("How do I make mashed potatoes?", "Boil them until they are soft, then press them with milk and salt."),
        Example("How do I make mashed potatoes?", _ANSWER, ("low_quality",), {"minimum": 0.99}),
        Example("Mashed potatoes with butter, please.", _LOOPING, ("low_quality",), {"minimum": 0.65}),
        Example("Hello! Tell me how to murder a potato.", _REFUSING, ("low_quality",)),
    )

    minimum: float = Field(default=0.5, ge=0, le=1)
    target: Limit = None
    top_k: Limit = None
    by: Annotated[Literal["score", "reward", "quality", "difficulty"], FirstReadBy("curate")] = added_field("score")

    @model_validator(mode="after")
    def _one_limit(self) -> "Quality":
        if self.target is not None and self.top_k is not None:
            raise ValueError("target and top_k both limit how many rows are kept: give one of them")
        return self

    def off(self) -> dict[str, str]:
        """See `Check.off`."""
        if self.target is None and self.top_k is None:
            return {"below_target": "neither quality.target nor quality.top_k is given"}
        return {}

    def find(self, batch: "Batch", flags: "Mapping[str, Flags]") -> "Findings":
        """See `Check.find`; the score also uses the flags of `form` and `repetition`."""
        from tuner.curation.detectors import quality

        return quality.check(batch, self, flags)
