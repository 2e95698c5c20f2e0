"""The shards of a recipe. Imports nothing heavy, since a plan lists them all."""

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.recipe import Recipe

DEFAULT = "magpie"
"""The source of a recipe that names none; its shards and rows bear no name."""


@dataclass(frozen=True)
class ShardSpec:
    """A shard of rows; a recipe of one round with this seed has the same shard.

    Attributes:
        round: The round it belongs to, from 0.
        seed: The seed of the round.
        number: Its index within the source and the round, from 0.
        rows: The number of rows.
        source: The name of its source.
        file: The file of the artifact that holds it.
        begin: Rows of its source and round before it.
        weights: See `generation.settings.Batch`.
    """

    round: int
    seed: int
    number: int
    rows: int
    source: str = DEFAULT
    file: str = "rows.parquet"
    begin: int = 0
    weights: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """`shard 3`, `round 2 shard 3`, or with the source's name in front."""
        named = "" if self.source == DEFAULT else f"{self.source} "
        return round_label(self.round, f"{named}shard {self.number + 1}")


def round_label(round_: int, label: str) -> str:
    """A label of the first round, with the round in front in later rounds."""
    return f"round {round_ + 1} {label}" if round_ else label


def shards(recipe: "Recipe", source: str = DEFAULT) -> list[ShardSpec]:
    """The shards of a source that draws, round after round; those of existing texts are drawn in the first alone."""
    from tuner.reading.settings import Existing

    generation = recipe.generation
    batches = generation.batches(source)
    begins = [0, *accumulate(batch.rows for batch in batches)]
    existing = any(isinstance(generation.sources[each], Existing) for each in generation.chain(source))
    return [
        ShardSpec(round_, recipe.seed + round_, number, batch.rows, source, begin=begins[number], weights=batch.weights)
        for round_ in range(1 if existing else generation.rounds)
        for number, batch in enumerate(batches)
    ]


def shard_sizes(rows: int, shard_rows: int) -> list[int]:
    """Rows in each shard of a round; only the last may hold fewer than `shard_rows`."""
    full, rest = divmod(rows, shard_rows)
    return [shard_rows] * full + ([rest] if rest else [])
