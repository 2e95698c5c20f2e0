"""A store with a split of tiny rows, recipes that sweep over it, and trainings in this process, which start at once."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.hollow import hollow
from tests.tiny import write_rows
from tuner import planning, races
from tuner.artifacts import parquet
from tuner.artifacts.store import Store
from tuner.recipe import Recipe
from tuner.registry import STAGES, planned
from tuner.splitting.metrics import Overlap, SplitMetrics, TuningChecks
from tuner.training import process, worker
from tuner.training.exits import DivergedError
from tuner.training.job import METRICS, Job
from tuner.training.metrics import Trained

CHECK = Overlap.model_validate(
    {"exact_overlap": 0, "near_overlap": 0, "similarity": 0.5, "ngram": 5, "template_ngrams": 0, "pairs_compared": 12}
)

NOT_ROWS = pa.table({"nothing": ["what no sweep may read"]})
"""The file of the validation rows."""

Sweeping = Callable[..., Recipe]


@pytest.fixture(autouse=True)
def in_this_process(float32: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(job: Job, timeout: float) -> Trained:
        job.checkpoints.mkdir(parents=True, exist_ok=True)
        job.output.mkdir(parents=True)
        try:
            worker.train(job, io.StringIO())
        except DivergedError as error:
            raise process.TrainingDivergedError(str(error)) from None
        return Trained.model_validate_json((job.output / METRICS).read_text())

    monkeypatch.setattr(process, "train", train)


@pytest.fixture
def sweeping(tiny: Path) -> Sweeping:
    """Makes a recipe whose adapter `lora` has a sweep."""

    def make(sweep: dict[str, Any], **adapter: Any) -> Recipe:
        settings = {"method": "lora", "epochs": 8, "batch_size": 6, "max_length": 256, "learning_rate": 1e-2}
        unlimited = {"max_grad_norm": 0}  # a rate that is much too large diverges
        return Recipe.model_validate(
            {
                "name": "swept",
                "models": {"generator": str(tiny), "student": str(tiny)},
                "generation": {"rows": 1},
                "training": {"lora": {**settings, **unlimited, "sweep": sweep, **adapter}},
            }
        )

    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def split(recipe: Recipe, store: Store) -> None:
    """Writes rows to train on, others to choose by, and a file of validation rows that cannot be read."""

    def write(folder: Path) -> dict[str, Any]:
        write_rows(folder / "train.parquet")
        write_rows(folder / "tuning.parquet", 5)
        parquet.write(NOT_ROWS, folder / "validation.parquet")
        tuning = TuningChecks(training=CHECK, validation=CHECK)
        return hollow(SplitMetrics, check=CHECK, tuning_checks=tuning).model_dump(mode="json")

    store.build(planned(recipe).one("split"), write)


def carry_out(recipe: Recipe, store: Store, at_most: int | None = None) -> Recipe:
    """Trains and decides as a run does; ends after so many decisions, or with the adapters."""
    split(recipe, store)
    recipe = races.known(recipe, store)
    decisions = 0
    while due := races.due(recipe, planned(recipe)):
        if decisions == at_most:
            return recipe
        make(recipe, store, planning.plan_of(recipe, store, due))
        recipe = races.known(recipe, store)
        decisions += 1
    make(recipe, store, planning.plan_of(recipe, store, planned(recipe).of("train")))
    return recipe


def make(recipe: Recipe, store: Store, plan: planning.Plan) -> None:
    for step in plan:
        if step.spec.stage in ("trial", "steer", "train"):
            STAGES[step.spec.stage].make(recipe, step.spec, store)
