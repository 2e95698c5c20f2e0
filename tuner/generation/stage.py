"""The stage `generate`: one shard of rows, drawn and written."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner import progress
from tuner.artifacts import parquet
from tuner.recipe import Recipe

if TYPE_CHECKING:
    from tuner.generation.engines import Engine

_lock = threading.Lock()
_held: dict[str, "Engine"] = {}


def shard_sizes(rows: int, shard_rows: int) -> list[int]:
    """Rows in each shard; only the last may hold fewer than `shard_rows`."""
    full, rest = divmod(rows, shard_rows)
    return [shard_rows] * full + ([rest] if rest else [])


def generate(recipe: Recipe, shard: int, folder: Path) -> dict[str, Any]:
    """Draws one shard and writes `rows.parquet`.

    The model stays in memory for the next shard until `release`. Shards of one process take turns at it.

    Args:
        recipe: Names the generator and how to sample.
        shard: The shard's number.
        folder: Where the file goes.

    Returns:
        The metrics: rows, outcomes, tokens (useful ones: drawn up to each turn's end), seconds, tokens per second.

    Raises:
        InputError: If the generator cannot be loaded or has no chat template.
    """
    from tuner.generation import magpie
    from tuner.models import loading

    count = shard_sizes(recipe.generation.rows, recipe.generation.shard_rows)[shard]
    label = f"shard {shard + 1}"
    with _lock:
        engine = _engine(recipe.models.generator)
        clock = time.perf_counter()

        def report(turns: int, tokens: int) -> None:
            figures = {"tokens/s": tokens / (time.perf_counter() - clock)}
            progress.emit(progress.Event("generate", label, done=turns, total=2 * count, figures=figures))

        table = magpie.draw(engine, recipe.generation, recipe.seed, shard, count, report)
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
        "dtype": str(loading.dtype()).removeprefix("torch."),
    }


def release() -> None:
    """Frees the generator, so that training has the memory."""
    with _lock:
        _held.clear()


def _engine(model: str) -> "Engine":
    from tuner.generation.engines.transformers import TransformersEngine

    if model not in _held:
        _held.clear()
        _held[model] = TransformersEngine(model)
    return _held[model]
