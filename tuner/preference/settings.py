"""The recipe's section on preference pairs."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tuner.generation.sources import Sampling
from tuner.section import Section

RuleName = Literal["form", "repetition", "safety", "language", "asked_length", "asked_format"]
"""The rules of `preference.rules`."""

Rejected = Literal["near", "min"]
"""Which candidate is rejected; see `preference.pairing`."""


class Candidates(Section):
    """How an instruction is answered several times.

    Each model, and the student with the adapter if one is named, draws `n` answers at each temperature.

    Attributes:
        models: The models, written as in `models`; by default the generator, unless an adapter is named.
        adapter: An adapter of `training` that the student draws with.
        temperatures: Each divides the logits of `n` candidates.
        n: Candidates of each model at each temperature.
        top_p: As in `generation.response`; so are the next three.
        min_p: See `top_p`.
        max_tokens: See `top_p`.
        until: See `top_p`.
        response_system: The system prompt of conversations that have none; by default the chat template's own.
    """

    models: tuple[str, ...] = ()
    adapter: str | None = None
    temperatures: tuple[Annotated[float, Field(gt=0, le=5)], ...] = Field(default=(0.6, 0.8, 1.0, 1.2), min_length=1)
    n: int = Field(default=1, ge=1, le=1000)
    top_p: float = Field(default=1.0, gt=0, le=1)
    min_p: float = Field(default=0.0, ge=0, lt=1)
    max_tokens: int = Field(default=512, ge=1, le=32768)
    until: Literal["turn", "paragraph", "line"] = "turn"
    response_system: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _each_is_named_once(self) -> "Candidates":
        for key in ("models", "temperatures"):
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                raise ValueError(f"{key}: one is named twice; raise n to draw more candidates of each")
        return self

    @model_validator(mode="after")
    def _there_are_two(self) -> "Candidates":
        if self.number < 2:
            raise ValueError("n: a pair takes two candidates; raise n, or name a second temperature or model")
        return self

    @property
    def of_each(self) -> int:
        """Candidates that each model draws for an instruction."""
        return self.n * len(self.temperatures)

    @property
    def number(self) -> int:
        """Candidates of an instruction."""
        return self.of_each * max(1, len(self.models) + (self.adapter is not None))

    @property
    def samplings(self) -> tuple[Sampling, ...]:
        """The sampling of each candidate that a model draws for an instruction."""
        alike = {"top_p": self.top_p, "min_p": self.min_p, "max_tokens": self.max_tokens, "until": self.until}
        each = [Sampling(temperature=temperature, **alike) for temperature in self.temperatures]
        return tuple(sampling for sampling in each for _ in range(self.n))

    def drawn_by(self) -> dict[str, Any]:
        """The settings that decide what one model draws, as they enter fingerprints."""
        return self.model_dump(mode="json", exclude={"models", "adapter"})


class Scorer(Section):
    """What scores the candidates: one of these.

    Attributes:
        reward: A model of the class SequenceClassification with one output, as in `curation.judging`.
        judge: A chat model that is asked of every two candidates which is better, in both orders.
        rules: Names of rules that need no model; the score is the share of them that a candidate follows.
    """

    reward: str | None = None
    judge: str | None = None
    rules: tuple[RuleName, ...] = ()

    @model_validator(mode="after")
    def _is_one(self) -> "Scorer":
        named = [key for key in ("reward", "judge", "rules") if getattr(self, key)]
        if len(named) != 1:
            found = f"{' and '.join(named)} are given" if named else "none is given"
            raise ValueError(f"{found}; set one of reward: MODEL, judge: MODEL or rules: [NAME, ...]")
        if len(set(self.rules)) < len(self.rules):
            raise ValueError("rules: one is named twice")
        return self

    @property
    def kind(self) -> Literal["reward", "judge", "rules"]:
        """Which of them it is."""
        return "reward" if self.reward else "judge" if self.judge else "rules"

    @property
    def models(self) -> dict[str, str]:
        """The model that it names, if any, by its key in this section."""
        return {key: model for key in ("judge", "reward") if (model := getattr(self, key))}


class Preference(Section):
    """How preference pairs are made; without this section there are none.

    Attributes:
        candidates: How instructions are answered.
        scorer: What scores the answers.
        rejected: Against the best candidate stands the one `near` the mean minus two standard deviations of the
            instruction's scores (arXiv 2502.16825), or that of the lowest score (`min`).
        margin: The least difference of the two scores, in the scorer's unit.
        pairs: The most pairs, on all sides together; null for no limit.
    """

    candidates: Candidates = Candidates()
    scorer: Scorer
    rejected: Rejected = "near"
    margin: float = Field(default=0.0, ge=0)
    pairs: int | None = Field(default=None, ge=1)
