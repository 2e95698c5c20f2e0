"""One shard of rows, drawn and written."""

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tuner import progress
from tuner.artifacts import parquet
from tuner.generation import engines, magpie
from tuner.generation.metrics import Generated
from tuner.generation.shards import Drawn
from tuner.models import held, loading, templates
from tuner.settings import settings

if TYPE_CHECKING:
    from tuner.recipe import Recipe


class Generator:
    """A generator that can be asked: its engine and its chat template.

    Args:
        model: As in a recipe.

    Raises:
        InputError: If the model cannot be loaded or has no chat template.
    """

    def __init__(self, model: str) -> None:
        self.template = templates.of(loading.load_tokenizer(model), model)
        self.engine = engines.opened(model, settings())


def generate(recipe: "Recipe", drawn: Drawn, folder: Path) -> Generated:
    """Draws one shard and writes `rows.parquet`.

    The model stays in memory for the next shard. Shards of one process take turns at it.

    Args:
        recipe: Names the generator and how to sample.
        drawn: The shard.
        folder: Where the file goes.

    Raises:
        InputError: If the generator cannot be loaded or has no chat template.
    """
    model, now = recipe.models.generator, settings()
    with held.lock:
        key = ("generate", now.engine, model)
        generator = held.hold(key, lambda: Generator(model), lambda loaded: loaded.engine.close())
        clock = time.perf_counter()

        def report(turns: int, tokens: int) -> None:
            figures = {"tokens/s": tokens / (time.perf_counter() - clock)}
            progress.emit(progress.Event("generate", drawn.label, done=turns, total=2 * drawn.rows, figures=figures))

        table = magpie.draw(generator.engine, generator.template, recipe.generation, drawn, report)
        seconds = time.perf_counter() - clock
        facts = generator.engine.facts()
    parquet.write(table, folder / "rows.parquet")
    tokens = sum(table["instruction_tokens"].to_pylist()) + sum(table["response_tokens"].to_pylist())
    return Generated(
        rows=drawn.rows,
        outcomes=dict(sorted(Counter(table["outcome"].to_pylist()).items())),
        tokens=tokens,
        seconds=round(seconds, 3),
        tokens_per_second=round(tokens / seconds, 2),
        engine=facts.engine,
        device=facts.device,
        dtype=facts.dtype,
    )
