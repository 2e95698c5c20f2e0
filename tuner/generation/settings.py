"""The recipe's section on generation."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

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


class System(Section):
    """A system prompt that instructions are drawn under.

    Attributes:
        prompt: Its words.
        weight: How often it is chosen, against the others.
        category: What the rows are called that are drawn under it, in their column `category`.
    """

    prompt: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0)
    category: str = ""


def _systems(given: Any) -> Any:
    """Plain texts as system prompts of equal weight."""
    listed = [given] if isinstance(given, str) else given
    return [{"prompt": each} if isinstance(each, str) else each for each in listed] if listed else listed


class Generation(Section):
    """Settings of Magpie's two turns.

    Attributes:
        rows: Rows to generate in each round.
        rounds: Number of rounds. The first uses the recipe's seed, each later one the next number.
        shard_rows: Rows in a shard, the unit that is cached and retried.
        prefix: The prompt that the generator continues with an instruction; by default what its chat template renders
            before the user's words.
        system: System prompts, one of which every instruction is drawn under; by default the chat template's own.
        response_system: The system prompt that every response is drawn under; by default the chat template's own.
        instruction: Sampling of the first turn.
        response: Sampling of the second turn.
    """

    rows: int = Field(ge=1, le=100_000_000)
    rounds: int = added_field(1, ge=1, le=500)
    shard_rows: int = Field(default=100, ge=1, le=100_000)
    prefix: str | None = None
    system: Annotated[tuple[System, ...], BeforeValidator(_systems)] = added_field(())
    response_system: str | None = added_field(None, min_length=1)
    instruction: Sampling = Sampling()
    response: Sampling = Sampling()

    @model_validator(mode="after")
    def _one_opening(self) -> "Generation":
        if self.prefix is not None and self.system:
            raise ValueError("prefix replaces the whole beginning of a prompt, so that system is not read; set one")
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
