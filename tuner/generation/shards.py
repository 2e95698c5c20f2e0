"""The shards of a recipe: which rows are drawn together. Light, since a plan names them all."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.recipe import Recipe


@dataclass(frozen=True)
class Drawn:
    """A shard to be drawn: the one that a recipe of one round under this seed would draw too.

    Attributes:
        round: Which round draws it, from 0.
        seed: The round's.
        number: Its place within the round, from 0.
        rows: How many.
    """

    round: int
    seed: int
    number: int
    rows: int

    @property
    def label(self) -> str:
        """`shard 3`, or `round 2 shard 3`."""
        return labelled(self.round, f"shard {self.number + 1}")


def labelled(round_: int, label: str) -> str:
    """What is called so in the first round, as a later one calls it."""
    return f"round {round_ + 1} {label}" if round_ else label


def shards(recipe: "Recipe") -> list[Drawn]:
    """The shards of all rounds, round after round."""
    sizes = shard_sizes(recipe.generation.rows, recipe.generation.shard_rows)
    return [
        Drawn(round_, recipe.seed + round_, number, size)
        for round_ in range(recipe.generation.rounds)
        for number, size in enumerate(sizes)
    ]


def shard_sizes(rows: int, shard_rows: int) -> list[int]:
    """Rows in each shard of a round; only the last may hold fewer than `shard_rows`."""
    full, rest = divmod(rows, shard_rows)
    return [shard_rows] * full + ([rest] if rest else [])
