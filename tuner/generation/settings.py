"""The recipe's section on generation."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tuner.generation.languages import LANGUAGES
from tuner.generation.steering import LISTS, MAX_LINE, written
from tuner.section import Section, added_field

Probability = Annotated[float, Field(gt=0, le=1)]

MAX_SHARDS = 5_000
"""The limit for all rounds together. Each shard is a Prefect task, and a plan of this many takes a second."""


class Sampling(Section):
    """Sampling settings of one turn.

    Attributes:
        temperature: Divides the logits.
        top_p: Keeps the smallest set of tokens with this probability mass.
        min_p: Drops tokens whose probability is below this fraction of the most probable one's.
        max_tokens: The turn is cut off after this many tokens.
    """

    temperature: float = Field(default=1.0, gt=0, le=5)
    top_p: Probability = 1.0
    min_p: float = Field(default=0.0, ge=0, lt=1)
    max_tokens: int = Field(default=512, ge=1, le=32768)


Line = Annotated[str, Field(min_length=1, max_length=MAX_LINE)]


class System(Section):
    """A system prompt that instructions are drawn under.

    Attributes:
        prompt: Its words; with `{topic}` or `{persona}` where a line of these lists is to stand.
        weight: How often it is chosen, against the others.
        category: What the rows are called that are drawn under it, in their column `category`; by default their topic.
        topics: What users ask about, one for each row: a list, or a text file with one a line.
        personas: Who they are, likewise.
    """

    prompt: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0)
    category: str = ""
    topics: tuple[Line, ...] = added_field(())
    personas: tuple[Line, ...] = added_field(())

    @model_validator(mode="after")
    def _lists_have_a_place(self) -> "System":
        for key, place in LISTS.items():
            if getattr(self, key) and place not in self.prompt:
                raise ValueError(f"its prompt has no {place}, where one of its {key} is to stand")
        return self


def _known(code: str) -> str:
    if code not in LANGUAGES:
        raise ValueError(f"no language {code!r}; they are {', '.join(LANGUAGES)}")
    return code


class Generation(Section):
    """Settings of Magpie's two turns.

    Attributes:
        rows: Rows to generate in each round.
        rounds: Number of rounds. The first uses the recipe's seed, each later one the next number.
        shard_rows: Rows in a shard, the unit that is cached and retried.
        prefix: The prompt that the generator continues with an instruction; by default what its chat template renders
            before the user's words.
        system: System prompts, one of which every instruction is drawn under; by default the chat template's own.
        languages: ISO 639 codes; the system prompt of every instruction says that the user writes in one of these.
        response_system: The system prompt that every response is drawn under; by default the chat template's own.
        instruction: Sampling of the first turn.
        response: Sampling of the second turn.
    """

    rows: int = Field(ge=1, le=100_000_000)
    rounds: int = added_field(1, ge=1, le=500)
    shard_rows: int = Field(default=100, ge=1, le=100_000)
    prefix: str | None = None
    system: Annotated[tuple[System, ...], BeforeValidator(written)] = added_field(())
    languages: tuple[Annotated[str, AfterValidator(_known)], ...] = added_field(())
    response_system: str | None = added_field(None, min_length=1)
    instruction: Sampling = Sampling()
    response: Sampling = Sampling()

    @model_validator(mode="after")
    def _one_opening(self) -> "Generation":
        for key in ("system", "languages"):
            if self.prefix is not None and getattr(self, key):
                raise ValueError(f"prefix replaces the whole beginning of a prompt, so that {key} is not read; set one")
        return self

    @model_validator(mode="after")
    def _shards_can_be_named(self) -> "Generation":
        shards = -(-self.rows // self.shard_rows) * self.rounds
        # Every round is matched with all earlier ones, so the size of a plan grows with shards times rounds.
        if shards > MAX_SHARDS or shards * self.rounds > 100 * MAX_SHARDS:
            rounds = f" in each of {self.rounds:,} rounds" if self.rounds > 1 else ""
            raise ValueError(
                f"{self.rows:,} rows{rounds} are {shards:,} shards of {self.shard_rows:,}, too many to plan; "
                "raise shard_rows"
            )
        return self
