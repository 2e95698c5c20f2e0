"""What a recipe says of curation: one section a family of checks."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tuner.section import Section

WordRange = Annotated[tuple[int, int], Field(description="fewest and most words allowed")]
Text = Literal["instruction", "response", "both"]
Action = Literal["drop", "redact", "mark", "leave"]


class Form(Section):
    """What a text has to look like.

    Attributes:
        instruction_words: Bounds on the instruction's words, both inclusive.
        response_words: Bounds on the response's words, both inclusive.
        sanitize: Cuts an instruction at the first section that leaked into it, and records what was cut.
    """

    instruction_words: WordRange = (3, 500)
    response_words: WordRange = (10, 2000)
    sanitize: bool = False

    @model_validator(mode="after")
    def _ranges_rise(self) -> "Form":
        for key in ("instruction_words", "response_words"):
            low, high = getattr(self, key)
            if not 0 <= low <= high:
                raise ValueError(f"{key} must be [fewest, most] with 0 <= fewest <= most, not [{low}, {high}]")
        return self


class Repetition(Section):
    """How often a response may say the same.

    Attributes:
        max_word_share: The highest share of one content word in the response that passes.
        max_phrase_repeats: A 3-, 4- or 5-gram that occurs more often than this fails.
        gopher: Whether the repetition rules of Gopher are applied too.
    """

    max_word_share: float = Field(default=0.3, ge=0, le=1)
    max_phrase_repeats: int = Field(default=3, ge=1)
    gopher: bool = True


class Quality(Section):
    """The six-part score and what it decides.

    Attributes:
        minimum: The lowest score that passes.
        target: If more than 1.2 times as many rows of a round survive everything else, only this many of them are kept,
            the best.
        top_k: At most so many rows of a round are kept, the best.
    """

    minimum: float = Field(default=0.5, ge=0, le=1)
    target: int | None = Field(default=None, ge=1)
    top_k: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_limit(self) -> "Quality":
        if self.target is not None and self.top_k is not None:
            raise ValueError("target and top_k both limit how many rows are kept: give one of them")
        return self


class Near(Section):
    """Near duplicates: rows whose word n-grams overlap.

    Attributes:
        on: Which texts are compared: `instruction`, `response`, or `both` as one text.
        ngram: Words in a shingle; a shorter text is one shingle.
        similarity: The lowest Jaccard similarity of the sets of shingles that makes duplicates.
    """

    on: Annotated[tuple[Text, ...], Field(min_length=1)] = ("instruction", "both")
    ngram: int = Field(default=5, ge=1, le=20)
    similarity: float = Field(default=0.5, ge=0.3, le=1)


class Semantic(Section):
    """Semantic duplicates: rows that say the same in other words.

    Attributes:
        on: Which text is embedded.
        embedder: What embeds it.
        similarity: The lowest cosine similarity that makes duplicates.
    """

    on: Text = "instruction"
    embedder: Literal["minilm"] = "minilm"
    similarity: float = Field(default=0.9, ge=0.5, le=1)


class Duplicates(Section):
    """Which rows count as the same; exact duplicates always do.

    Attributes:
        near: How near duplicates are found; null leaves them.
        semantic: How semantic duplicates are found; null leaves them.
        keep: How many members of a cluster of near or semantic duplicates stay, those of earlier rounds first, then the
            best-scored.
    """

    near: Near | None = Near()
    semantic: Semantic | None = None
    keep: int = Field(default=1, ge=1)


class Language(Section):
    """Which languages are wanted.

    Attributes:
        wanted: ISO 639 codes of two letters, or three where a language has no shorter one.
        min_confidence: A row is judged only if the detector is at least so sure.
    """

    wanted: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...], Field(min_length=1)] = ("en",)
    min_confidence: float = Field(default=0.5, ge=0, le=1)


class Safety(Section):
    """What is done about a row that could do harm: `drop` it, `redact` the place, `mark` it only, or `leave` it.

    Attributes:
        toxicity: Slurs, threats, incitement to self-harm, explicit sex, insults; English only.
        personal_data: E-mail and IP addresses, phone, card and account numbers, keys and tokens.
        harmful_words: The ten words that rejected a row in the project's first run; too coarse to do so by default.
    """

    toxicity: Action = "drop"
    personal_data: Action = "redact"
    harmful_words: Literal["drop", "mark", "leave"] = "mark"

    @property
    def masking(self) -> tuple[str, ...]:
        """The reasons for which texts are masked and no row is rejected."""
        actions = {"toxic": self.toxicity, "personal_data": self.personal_data}
        return tuple(reason for reason, action in actions.items() if action == "redact")

    def masked(self, metrics: Mapping[str, Any]) -> str:
        """What was masked in how many rows, such as `personal data in 12 rows`; empty if nothing was.

        Args:
            metrics: Of the stage `curate`.
        """
        found = {reason: metrics.get("marks", {}).get(reason, 0) for reason in self.masking}
        said = {"toxic": "slurs, threats and the like", "personal_data": "personal data"}
        return " and ".join(
            f"{said[reason]} in {rows:,} {'row' if rows == 1 else 'rows'}" for reason, rows in found.items() if rows
        )


class Decontamination(Section):
    """Rows that contain what benchmarks ask.

    Attributes:
        against: Files with prompts: lines (.txt), or records with a field `prompt`, `question`, `instruction` or `text`
            (.jsonl, .parquet); or `package:NAME/path`, such a file of an installed package.
        similarity: A row whose instruction's Jaccard similarity with a prompt reaches this is dropped.
    """

    against: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    similarity: float = Field(default=0.5, ge=0.3, le=1)


class Balance(Section):
    """Bounds how much of one kind is kept.

    Attributes:
        by: `opening`, the first two words of the instruction, or `category`, a column of one's own data.
        at_most: Rows of one kind that are kept, those of earlier rounds first, then the best.
    """

    by: Literal["opening", "category"] = "opening"
    at_most: int = Field(ge=1)


class Curation(Section):
    """What a row has to be to be kept.

    Attributes:
        ignore: Names of reasons that are recorded but reject nothing.
        form: Shape and length.
        repetition: Within a response.
        quality: The score.
        duplicates: Between rows.
        language: Which are wanted; null takes all.
        safety: Toxicity and personal data.
        decontamination: Against benchmarks.
        balance: Over kinds of instructions; null leaves them as they are.
    """

    ignore: tuple[str, ...] = ()
    form: Form = Form()
    repetition: Repetition = Repetition()
    quality: Quality = Quality()
    duplicates: Duplicates = Duplicates()
    language: Language | None = Language()
    safety: Safety = Safety()
    decontamination: Decontamination = Decontamination()
    balance: Balance | None = None

    @model_validator(mode="after")
    def _reasons_exist(self) -> "Curation":
        from tuner.curation.reasons import REASONS

        for name in self.ignore:
            if name not in REASONS:
                raise ValueError(f"ignore: there is no reason {name!r}; there are {', '.join(REASONS)}")
        return self
