"""Rounds with made-up rows, adapters and, by default, evaluations; the real stages make everything else."""

import shutil
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
from tuner.evaluation.metrics import Evaluated, Loss
from tuner.generation.metrics import Generated
from tuner.generation.shards import ShardSpec
from tuner.recipe import Recipe
from tuner.registry import NAMES, STAGES, planned
from tuner.rows import SCHEMA
from tuner.runs import Run
from tuner.training.metrics import Trained

RECIPE = """\
name: small
models: {{generator: {model}, student: {model}}}
generation: {{rows: 80, shard_rows: 40}}
split: {{validation: 0.3}}
training:
  one: {{method: lora, r: 2}}
  two: {{method: lora, r: 4}}
evaluation: {{samples: 1, sample_tokens: 2}}
"""

LOSSES = {"good": 1.0, "fair": 2.0, "bad": 3.0}
"""The adapters' losses in a made-up evaluation."""

Complete = Callable[..., str]


@pytest.fixture(autouse=True)
def exact(float32: None) -> None:
    """Computes in float32, so that results can be compared closely."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def recipe(tiny: Path) -> Recipe:
    return loading.parse(RECIPE.format(model=tiny))


@pytest.fixture(scope="session")
def adapters(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Random adapters: a good one, a fair one that leaves the student nearly as it is, and the good one's opposite."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folders = {}
    for name, scale in {"good": 0.1, "fair": 0.001, "bad": -0.1}.items():
        torch.manual_seed(3)
        config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
        adapter = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny), config)
        for key, parameter in adapter.named_parameters():
            if parameter.requires_grad:
                parameter.data = torch.randn_like(parameter) * (scale if "lora_B" in key else abs(scale))
        folders[name] = tmp_path_factory.mktemp("adapters") / name
        adapter.save_pretrained(folders[name])
    return folders


def drawn(shard: ShardSpec) -> pa.Table:
    """Distinct rows that pass every check, but the first row of each shard is the same."""
    rows = []
    for index in range(shard.rows):
        number = 1000 * shard.round + 100 * shard.number + index
        instruction, response = asked(number), answered(number)
        if index == 0:
            instruction, response = asked(0), answered(0)
        turns = [{"role": "user", "content": instruction}, {"role": "assistant", "content": response}]
        made_up = {
            "row_id": f"{shard.seed}-{shard.number}-{index}",
            "shard": shard.number,
            "index": index,
            "instruction": instruction,
            "response": response,
            "messages": turns,
            "instruction_finish": "stop",
            "response_finish": "stop",
        }
        rows.append({**dict.fromkeys(SCHEMA.names), **made_up})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@pytest.fixture
def complete(store: Store, adapters: dict[str, Path]) -> Complete:
    """Makes a run up to its evaluation with made-up adapters; returns its name."""

    def generate(shard: ShardSpec, folder: Path) -> dict[str, Any]:
        parquet.write(drawn(shard), folder / "rows.parquet")
        return hollow(Generated, rows=shard.rows).model_dump(mode="json")

    def train(adapter: str, folder: Path) -> dict[str, Any]:
        shutil.copytree(adapters[adapter], folder / "adapter")
        return hollow(Trained).model_dump(mode="json")

    def evaluate(chosen: dict[str, str], rows: int, folder: Path) -> dict[str, Any]:
        (folder / "made-up").write_text("")
        subjects = {
            name: Loss(loss=LOSSES[adapter], low=0.5, high=3.5, tokens=100, rows=rows)
            for name, adapter in chosen.items()
        }
        return hollow(Evaluated, subjects=subjects).model_dump(mode="json")

    def make(
        recipe: Recipe,
        one: str = "bad",
        two: str = "bad",
        *,
        name: str | None = None,
        until: str = "evaluate",
        really: bool = False,
        rows: int = 24,
    ) -> str:
        chosen = {"one": one, "two": two}
        wanted = planned(recipe)
        run = Run.start(store, recipe, name, "report")
        with run.recorded():
            for stage in NAMES[: NAMES.index(until) + 1]:
                for spec in wanted.of(stage):
                    if stage == "generate":
                        store.build(spec, lambda folder, shard=spec.subject: generate(shard, folder))
                    elif stage == "train":
                        store.build(spec, lambda folder, name=spec.label: train(chosen[name], folder))
                    elif stage == "evaluate" and not really:
                        store.build(spec, lambda folder: evaluate(chosen, rows, folder))
                    else:
                        STAGES[stage].make(recipe, spec, store)
                    run.note(spec, "made")
        return run.name

    return make
