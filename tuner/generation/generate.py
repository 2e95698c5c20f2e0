"""Draws one shard of rows and writes it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tuner import progress
from tuner.artifacts import parquet
from tuner.generation import engines
from tuner.generation.metrics import Generated
from tuner.generation.pool import Pool
from tuner.generation.shards import ShardSpec
from tuner.generation.sources.base import Drawing, Drawn
from tuner.models import chat, resident
from tuner.models.settings import Models
from tuner.rows import SCHEMA
from tuner.settings import settings

if TYPE_CHECKING:
    from tuner.models.adapted import Adapter
    from tuner.recipe import Recipe


class Generator:
    """A loaded generator: its engine and its chat template.

    Args:
        models: The recipe's section.
        adapter: An adapter with which the student is drawn from, by the engine `transformers`, instead of the
            generator.

    Raises:
        InputError: If the model cannot be loaded, or its chat template cannot be drawn from.
    """

    def __init__(self, models: Models, adapter: "Adapter | None" = None) -> None:
        self.chat = chat.load(models, "student" if adapter else "generator")
        self.engine = Pool(self._open(adapter))

    def _open(self, adapter: "Adapter | None") -> engines.Engine:
        if adapter is None:
            return engines.open_engine(self.chat.model, settings())
        from tuner.generation.engines.transformers import TransformersEngine

        return TransformersEngine(self.chat.model, settings().batch_size, adapter)


@contextmanager
def loaded(models: Models, adapter: "Adapter | None" = None) -> Iterator[Generator]:
    """A generator for the duration of a block; it stays in memory for the next, and threads of one process share it.

    Args:
        models: As for `Generator`.
        adapter: As for `Generator`.

    Raises:
        InputError: As `Generator` does.
    """
    # The student lends a generator nothing, and with an adapter it is the one that is drawn from.
    section = models.model_dump_json(exclude=None if adapter else {"student"})
    key = ("generate", settings().engine, settings().endpoint, section, adapter)
    with resident.using(key, lambda: Generator(models, adapter), lambda made: made.engine.close()) as generator:
        yield generator


def generate(recipe: "Recipe", shard: ShardSpec, folder: Path, made_from: Sequence[dict[str, Any]] = ()) -> Generated:
    """Draws one shard and writes `rows.parquet`.

    Args:
        recipe: Names the generators and their sampling settings.
        shard: The shard.
        folder: The folder for the file.
        made_from: As for `Drawing`.

    Raises:
        InputError: If the generator cannot be loaded or has no chat template.
    """
    models = recipe.generator_models(shard.source)
    source = recipe.generation.sources[shard.source]
    assert isinstance(source, Drawn)
    with loaded(models) as generator:
        engine = generator.engine
        before = engine.done

        def speed() -> float:
            return (engine.done.tokens - before.tokens) / ((engine.done.seconds - before.seconds) or 1)

        def report(turns: int, _: int) -> None:
            figures = {"tokens/s": speed()}
            total = source.turns_of_row * shard.rows
            progress.emit(progress.Event("generate", shard.label, done=turns, total=total, figures=figures))

        drawing = Drawing(engine, generator.chat, shard, made_from, report)
        table = pa.Table.from_pylist(source.draw(drawing), schema=SCHEMA)
        tokens_per_second = speed()
        facts = engine.facts()
    parquet.write(table, folder / "rows.parquet")
    tokens = sum(table["instruction_tokens"].to_pylist()) + sum(table["response_tokens"].to_pylist())
    return Generated(
        rows=table.num_rows,  # fewer than the shard has where rows that are refined could not be read
        outcomes=dict(sorted(Counter(table["outcome"].to_pylist()).items())),
        tokens=tokens,
        # Of the engine's time the part that this shard's tokens took.
        seconds=round(tokens / (tokens_per_second or 1), 3),
        tokens_per_second=round(tokens_per_second, 2),
        engine=facts.engine,
        slots=facts.slots,
        device=facts.device,
        dtype=facts.dtype,
        reproducible=facts.reproducible,
        served_model=facts.served_model,
        counted=dict(facts.counted),
    )
