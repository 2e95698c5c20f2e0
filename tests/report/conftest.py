"""Made-up inputs of a report: realistic in shape, obviously invented in content."""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tuner.artifacts import parquet
from tuner.artifacts.manifest import Manifest
from tuner.evaluation.metrics import Evaluated
from tuner.generation.metrics import Generated
from tuner.metrics import Metrics
from tuner.recipe import Recipe
from tuner.report.metrics import Reported
from tuner.report.write import Inputs, report
from tuner.splitting.metrics import Overlap, SplitMetrics
from tuner.training.metrics import Trained

from . import curated_rows
from .curated_rows import FILES, HOSTILE, KEPT, ROWS

HELD_OUT = 24


def manifest(stage: str, number: int, metrics: Metrics, seconds: float) -> Manifest:
    return Manifest(
        stage=stage,
        version=1,
        fingerprint=f"{number:064x}"[::-1],
        identity={},
        inputs={},
        attempt="0" * 12,
        files=[],
        metrics=metrics.model_dump(mode="json"),
        provenance={
            "started": "2026-01-02T03:04:05+00:00",
            "ended": "2026-01-02T03:14:05+00:00",
            "seconds": seconds,
            "host": "test-host",
            "machine": "x86_64, 2 cores",
            "python": "3.11.9",
            "versions": {"torch": "2.13.0", "peft": "0.21.0"},
        },
    )


def trained(method: str, parameters: int, seconds: float, loss: float) -> Trained:
    return Trained(
        method=method,
        trainable_parameters=parameters,
        total_parameters=134_515_008 + parameters,
        trainable_ratio=parameters / (134_515_008 + parameters),
        steps=21,
        epochs=3.0,
        train_loss=loss,
        tokens=31_212,
        seconds=seconds,
        tokens_per_second=31_212 / seconds,
        peak_memory_bytes=1_912_000_000 - parameters,
        peak_memory_of="process",
        adapter_bytes=4 * parameters + 3000,
        device="cpu",
        dtype="float32",
        resumed_from_step=None,
    )


MEASURED: dict[str, Any] = {
    "subjects": {
        "base": {"loss": 1.6971, "low": 1.5012, "high": 1.9034, "tokens": 1870, "rows": HELD_OUT},
        "lora": {"loss": 1.5324, "low": 1.3487, "high": 1.7261, "tokens": 1870, "rows": HELD_OUT},
        "prompt_tuning": {"loss": 1.6512, "low": 1.4633, "high": 1.8502, "tokens": 1870, "rows": HELD_OUT},
    },
    "differences": [
        {"a": "lora", "b": "base", "difference": -0.1647, "low": -0.2112, "high": -0.1203, "p": 0.001},
        {"a": "prompt_tuning", "b": "base", "difference": -0.0459, "low": -0.0801, "high": -0.0142, "p": 0.007},
        {"a": "lora", "b": "prompt_tuning", "difference": -0.1188, "low": -0.1523, "high": -0.0844, "p": 0.001},
    ],
    "speed": [
        {
            "subject": name,
            "merged": merged,
            "batch_size": batch,
            "new_tokens": 64,
            "times": 5,
            "tokens_per_second": speed * batch,
            "low": 0.9 * speed * batch,
            "high": 1.1 * speed * batch,
        }
        for batch in (1, 4)
        for name, merged, speed in (
            ("base", False, 21.37),
            ("lora", False, 14.12),
            ("lora", True, 21.11),
            ("prompt_tuning", False, 20.4),
        )
    ],
    "quantization": {"base": None, "lora": None, "prompt_tuning": None},
    "precision": "float32",
    "seconds": 61.2,
}
"""The metrics of `evaluate`, as plain data."""


def curve(start: float, end: float) -> pa.Table:
    steps = np.arange(1, 22)
    noise = np.random.default_rng(3).normal(0, 0.04, len(steps))
    return pa.table(
        {
            "step": steps,
            "epoch": steps / 7,
            "loss": end + (start - end) * np.exp(-steps / 6) + noise,
            "learning_rate": 2e-4 * (1 - steps / 22),
            "seconds": steps * 4.0,
        }
    )


def losses(subjects: list[str]) -> pa.Table:
    rows = [
        {
            "subject": subject,
            "row_id": f"42-0-{index}",
            "loss_sum": 200.0 + index - 10 * (subject == "lora" and index > 1),
            "tokens": 130,
        }
        for subject in subjects
        for index in range(HELD_OUT)
    ]
    return pa.Table.from_pylist(rows)


def samples(subjects: list[str]) -> pa.Table:
    answers = {
        "base": "Rivers are long. They are also wet. Rivers are long.\n\n1. Rivers\n2. Rivers",
        "lora": "Three made-up rivers are the Ypsil, the Quor and the Lend.",
        "prompt_tuning": "The Ypsil flows north, the Quor flows south, and the Lend does not flow at all.",
    }
    rows = [
        {
            "subject": subject,
            "row_id": f"42-0-{index}",
            "instruction": "Name three made-up rivers." if index else f"Explain this: {HOSTILE}",
            "reference": "The Ypsil, the Quor and the Lend." if index else "word " * 500,
            "completion": answers[subject] if index else HOSTILE,
        }
        for index in range(3)
        for subject in subjects
    ]
    return pa.Table.from_pylist(rows)


Build = Callable[..., Inputs]


def make(
    folder: Path,
    measured: dict[str, Any] | None = None,
    adapters: tuple[str, ...] = ("lora", "prompt_tuning"),
    curation: dict[str, Any] | None = None,
    rows: pa.Table | None = None,
) -> Inputs:
    """Makes inputs.

    Args:
        folder: The folder for their files.
        measured: The metrics of the evaluation, as plain data, if not the default ones.
        adapters: Names of the trained adapters.
        curation: The recipe's section `curation`.
        rows: The curated rows.
    """
    settings: dict[str, Any] = {"lora": {"method": "lora"}, "prompt_tuning": {"method": "prompt_tuning"}}
    recipe = Recipe.model_validate(
        {
            "name": "invented",
            "models": {"generator": "test/generator", "student": "test/student"},
            "generation": {"rows": ROWS, "shard_rows": ROWS // FILES},
            "curation": curation or {},
            "training": {name: settings[name] for name in adapters},
        }
    )
    adapter_metrics = {
        "lora": trained("lora", 2_442_240, 91.3, 1.402),
        "prompt_tuning": trained("prompt_tuning", 11_520, 78.6, 1.713),
    }
    rows = curated_rows.table(curated_rows.rows()) if rows is None else rows
    counted = curated_rows.metrics(rows)
    parquet.write(losses(["base", *adapters]), folder / "losses.parquet")
    parquet.write(samples(["base", *adapters]), folder / "samples.parquet")
    for name in adapters:
        parquet.write(curve(2.1 if name == "lora" else 2.6, 1.3 if name == "lora" else 1.6), folder / f"{name}.parquet")
    shard = Generated(
        rows=24,
        outcomes={"complete": 24},
        tokens=4000,
        seconds=50.0,
        tokens_per_second=80.0,
        engine="transformers",
        slots=32,
        reproducible="equal",
        served_model="",
        device="cpu",
        dtype="float32",
    )
    sides = SplitMetrics(
        train=KEPT - HELD_OUT - 1,
        validation=HELD_OUT,
        left_out=1,
        former_rows=0,
        clusters=2,
        clustered_rows=5,
        largest_cluster=3,
        check=Overlap(exact_overlap=0, near_overlap=0, similarity=0.5, ngram=5, template_ngrams=0, pairs_compared=31),
    )
    return Inputs(
        recipe=recipe,
        parts=[manifest("generate", 11 + index, shard, 51.0) for index in range(4)],
        curate=manifest("curate", 21, counted, 1.2),
        split=manifest("split", 31, sides, 0.1),
        training={name: manifest("train", 41 + i, adapter_metrics[name], 99.0) for i, name in enumerate(adapters)},
        evaluate=manifest("evaluate", 51, Evaluated.model_validate(measured or measured_for(adapters)), 61.2),
        rows=curated_rows.write(rows, folder / "rows"),
        curves={name: folder / f"{name}.parquet" for name in adapters},
        losses=folder / "losses.parquet",
        samples=folder / "samples.parquet",
    )


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """`make` with the test's own folder."""
    return partial(make, tmp_path)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Reported]:
    """The folder of a complete report and its metrics, made once since it takes seconds."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "report").mkdir()
    return folder / "report", report(make(folder), folder / "report")


def measured_for(adapters: tuple[str, ...]) -> dict[str, Any]:
    named = {"base", *adapters}
    return copy.deepcopy(
        {
            **MEASURED,
            "subjects": {name: entry for name, entry in MEASURED["subjects"].items() if name in named},
            "differences": [entry for entry in MEASURED["differences"] if {entry["a"], entry["b"]} <= named],
            "speed": [entry for entry in MEASURED["speed"] if entry["subject"] in named],
            "quantization": dict.fromkeys(named),
        }
    )
