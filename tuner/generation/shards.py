"""The shards of a recipe. Imports nothing heavy, since a plan lists them all."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.recipe import Recipe


@dataclass(frozen=True)
class ShardSpec:
    """A shard to generate; a recipe of one round with this seed has the same shard.

    Attributes:
        round: The round it belongs to, from 0.
        seed: The seed of the round.
        number: Its index within the round, from 0.
        rows: The number of rows.
    """

    round: int
    seed: int
    number: int
    rows: int

    @property
    def label(self) -> str:
        """`shard 3`, or `round 2 shard 3`."""
        return round_label(self.round, f"shard {self.number + 1}")


def round_label(round_: int, label: str) -> str:
    """A label of the first round, with the round in front in later rounds."""
    return f"round {round_ + 1} {label}" if round_ else label


def shards(recipe: "Recipe") -> list[ShardSpec]:
    """The shards of all rounds, round after round."""
    sizes = shard_sizes(recipe.generation.rows, recipe.generation.shard_rows)
    return [
        ShardSpec(round_, recipe.seed + round_, number, size)
        for round_ in range(recipe.generation.rounds)
        for number, size in enumerate(sizes)
    ]


def shard_sizes(rows: int, shard_rows: int) -> list[int]:
    """Rows in each shard of a round; only the last may hold fewer than `shard_rows`."""
    full, rest = divmod(rows, shard_rows)
    return [shard_rows] * full + ([rest] if rest else [])
