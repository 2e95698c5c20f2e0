"""Generates one shard of rows and writes it."""

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tuner import progress
from tuner.artifacts import parquet
from tuner.generation import engines, magpie
from tuner.generation.metrics import Generated
from tuner.generation.shards import ShardSpec
from tuner.models import chat, resident
from tuner.models.settings import Models
from tuner.settings import settings

if TYPE_CHECKING:
    from tuner.recipe import Recipe


class Generator:
    """A loaded generator: its engine and its chat template.

    Args:
        models: The recipe's section.

    Raises:
        InputError: If the model cannot be loaded, or its chat template cannot be drawn from.
    """

    def __init__(self, models: Models) -> None:
        self.chat = chat.load(models, "generator")
        self.engine = engines.open_engine(models.generator, settings())


def generate(recipe: "Recipe", shard: ShardSpec, folder: Path) -> Generated:
    """Generates one shard and writes `rows.parquet`.

    The model stays in memory for the next shard. Threads of one process use it in turn.

    Args:
        recipe: Names the generator and its sampling settings.
        shard: The shard.
        folder: The folder for the file.

    Raises:
        InputError: If the generator cannot be loaded or has no chat template.
    """
    with resident.lock:
        key = ("generate", settings().engine, settings().endpoint, recipe.models.model_dump_json(exclude={"student"}))
        generator = resident.get(key, lambda: Generator(recipe.models), lambda loaded: loaded.engine.close())
        clock = time.perf_counter()

        def report(turns: int, tokens: int) -> None:
            figures = {"tokens/s": tokens / (time.perf_counter() - clock)}
            progress.emit(progress.Event("generate", shard.label, done=turns, total=2 * shard.rows, figures=figures))

        table = magpie.draw(generator.engine, generator.chat, recipe.generation, shard, report)
        seconds = time.perf_counter() - clock
        facts = generator.engine.facts()
    parquet.write(table, folder / "rows.parquet")
    tokens = sum(table["instruction_tokens"].to_pylist()) + sum(table["response_tokens"].to_pylist())
    return Generated(
        rows=shard.rows,
        outcomes=dict(sorted(Counter(table["outcome"].to_pylist()).items())),
        tokens=tokens,
        seconds=round(seconds, 3),
        tokens_per_second=round(tokens / seconds, 2),
        engine=facts.engine,
        device=facts.device,
        dtype=facts.dtype,
        slots=facts.slots,
        reproducible=facts.reproducible,
        served_model=facts.served_model,
    )
