"""The stage `generate`: one shard of rows, drawn and written."""

import gc
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner import progress
from tuner.recipe import Recipe

if TYPE_CHECKING:
    from tuner.generation.engines import Engine

_lock = threading.Lock()
_held: dict[str, "Engine"] = {}


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


def shards(recipe: Recipe) -> list[Drawn]:
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


def generate(recipe: Recipe, shard: int, folder: Path) -> dict[str, Any]:
    """Draws one shard and writes `rows.parquet`.

    The model stays in memory for the next shard until `release`. Shards of one process take turns at it.

    Args:
        recipe: Names the generator and how to sample.
        shard: The shard's number among those of all rounds.
        folder: Where the file goes.

    Returns:
        The metrics: rows, outcomes, tokens (useful ones: drawn up to each turn's end), seconds, tokens per second.

    Raises:
        InputError: If the generator cannot be loaded or has no chat template.
    """
    from tuner.artifacts import parquet
    from tuner.generation import magpie
    from tuner.models import loading, precision

    drawn = shards(recipe)[shard]
    count = drawn.rows
    with _lock:
        engine = _engine(recipe.models.generator)
        clock = time.perf_counter()

        def report(turns: int, tokens: int) -> None:
            figures = {"tokens/s": tokens / (time.perf_counter() - clock)}
            progress.emit(progress.Event("generate", drawn.label, done=turns, total=2 * count, figures=figures))

        table = magpie.draw(engine, recipe.generation, drawn.seed, drawn.number, count, report)
        seconds = time.perf_counter() - clock
    parquet.write(table, folder / "rows.parquet")
    tokens = sum(table["instruction_tokens"].to_pylist()) + sum(table["response_tokens"].to_pylist())
    return {
        "rows": count,
        "outcomes": dict(sorted(Counter(table["outcome"].to_pylist()).items())),
        "tokens": tokens,
        "seconds": round(seconds, 3),
        "tokens_per_second": round(tokens / seconds, 2),
        "engine": "transformers",
        "device": loading.device(),
        "dtype": str(precision.inference()).removeprefix("torch."),
    }


def release() -> None:
    """Frees the generator, so that training has the memory."""
    with _lock:
        if not _held:
            return
        import torch

        _held.clear()
        gc.collect()
        # What torch keeps for its next tensors another process, such as the training child, cannot have.
        torch.cuda.empty_cache()


def _engine(model: str) -> "Engine":
    from tuner.generation.engines.transformers import TransformersEngine

    if model not in _held:
        _held.clear()
        _held[model] = TransformersEngine(model)
    return _held[model]
