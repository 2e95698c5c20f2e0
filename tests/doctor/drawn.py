"""Shards with made-up instructions in the store, and the recipe that they are of."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from tuner import loading
from tuner.artifacts import parquet
from tuner.artifacts.store import Store
from tuner.generation.metrics import Generated
from tuner.recipe import Recipe
from tuner.registry import planned
from tuner.rows import SCHEMA
from tuner.settings import settings

GOOD = ("How do I bake a loaf of bread without an oven?", "stop")
CUT = ("def is_prime(num: int) -> bool:\n    if num < 2:", "length")
INSIDE = ("and that is why the leaves of the oak were brown.", "stop")
EMPTY = ("", "stop")
MARKS = ("***", "stop")


def recipe(*overrides: str) -> Recipe:
    return loading.parse(
        "name: small\nmodels: {generator: o/c, student: o/b}\n"
        "generation: {rows: 64, shard_rows: 18}\ntraining: {lora: {method: lora}}\n",
        overrides,
    )


def store() -> Store:
    return Store(settings().store)


def drawn(of: Recipe, texts: Sequence[tuple[str, str]], label: str = "shard 1") -> None:
    """Puts a shard with these instructions into the store."""

    def write(folder: Path) -> dict[str, object]:
        rows = [{"instruction": text, "instruction_finish": finish} for text, finish in texts]
        parquet.write(pa.Table.from_pylist(rows, schema=SCHEMA), folder / "rows.parquet")
        return Generated(
            rows=len(rows), outcomes={}, engine="", slots=1, reproducible="", served_model="",
            tokens=1, seconds=1.0, tokens_per_second=1.0, device="cpu", dtype="float32",
        ).model_dump(mode="json")  # fmt: skip

    store().build(planned(of).one("generate", label), write)
