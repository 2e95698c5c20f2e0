"""One shard of rows, drawn and written."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

from tuner import progress
from tuner.artifacts import parquet
from tuner.generation import magpie
from tuner.generation.engines.transformers import TransformersEngine
from tuner.generation.shards import Drawn
from tuner.models import held, loading, precision
from tuner.recipe import Recipe


def generate(recipe: Recipe, drawn: Drawn, folder: Path) -> dict[str, Any]:
    """Draws one shard and writes `rows.parquet`.

    The model stays in memory for the next shard. Shards of one process take turns at it.

    Args:
        recipe: Names the generator and how to sample.
        drawn: The shard.
        folder: Where the file goes.

    Returns:
        The metrics: rows, outcomes, tokens (useful ones: drawn up to each turn's end), seconds, tokens per second.

    Raises:
        InputError: If the generator cannot be loaded or has no chat template.
    """
    count = drawn.rows
    with held.lock:
        model = recipe.models.generator
        engine = held.hold(("generate", model), lambda: TransformersEngine(model))
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
