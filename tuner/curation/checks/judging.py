"""The check `judging`: tags by a judge model, the reward by a reward model, and which of them a row may not have."""

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from tuner.curation.check import Check
from tuner.curation.judging.tags import REWARD, SCALES, TAGS, Kind, column, probability_column, score_column
from tuner.section import FirstReadBy


class Judging(Check):
    """What models say of the rows that pass all checks of single rows.

    Attributes:
        judge: The chat model that tags rows, written as in `models`; null for none.
        tags: The kinds of tags.
        reward: A model of the class SequenceClassification with one output, whose number is the column `reward`; null
            for none.
        reject: By kind, the tags with which a row is rejected, such as `{quality: [very poor, poor]}`.
        minimum_reward: The lowest reward that passes; null takes all.
    """

    version: ClassVar = 1
    does: ClassVar = "tags by a judge model (`tags`), the number of a reward model (`reward`)"
    choices: ClassVar = {
        "unwanted_tag": "the judge gave the row a tag that is not wanted",
        "low_reward": "the reward is lower than allowed",
    }
    loosened: ClassVar = {"unwanted_tag": ("reject",), "low_reward": ("minimum_reward",)}

    judge: str | None = None
    tags: tuple[Kind, ...] = ()
    reward: str | None = None
    reject: Annotated[dict[Kind, tuple[str, ...]], FirstReadBy("curate")] = Field(default_factory=dict)
    minimum_reward: Annotated[float | None, FirstReadBy("curate")] = None

    @model_validator(mode="after")
    def _models_make_what_is_asked_for(self) -> "Judging":
        if len(set(self.tags)) < len(self.tags):
            raise ValueError("tags: a kind is named twice")
        if self.tags and self.judge is None:
            raise ValueError("judge: is missing; it is the model that gives the tags")
        if self.judge is not None and not self.tags:
            raise ValueError(f"tags: is missing; name the kinds that the judge tags, of {', '.join(TAGS)}")
        if self.judge is None and self.reward is None:
            raise ValueError("judge: is missing, and so is reward; name a model, or set judging to null")
        if self.minimum_reward is not None and self.reward is None:
            raise ValueError("minimum_reward: no row has a reward; name a reward model in curation.judging.reward")
        for kind, labels in self.reject.items():
            if kind not in self.tags:
                raise ValueError(f"reject.{kind}: no row has this tag; add {kind} to curation.judging.tags")
            for label in labels:
                if label not in TAGS[kind].labels:
                    raise ValueError(f"reject.{kind}: {label!r} is no tag; known are {', '.join(TAGS[kind].labels)}")
        return self

    def off(self) -> dict[str, str]:
        """See `Check.off`."""
        off = {} if self.reject else {"unwanted_tag": "judging.reject names no tag"}
        return off if self.minimum_reward is not None else {**off, "low_reward": "judging.minimum_reward is null"}

    @property
    def models(self) -> dict[str, str]:
        """The models that it names, by their keys in this section."""
        return {key: model for key in ("judge", "reward") if (model := getattr(self, key)) is not None}

    @property
    def adds(self) -> tuple[str, ...]:
        """The columns that it adds to rows, in order."""
        tags = [
            name
            for kind in self.tags
            for name in (column(kind), probability_column(kind), *([score_column(kind)] if kind in SCALES else []))
        ]
        return (*tags, *([REWARD] if self.reward else []))
