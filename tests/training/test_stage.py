"""The stage: it stores the results, removes the checkpoints and records the metrics."""

from pathlib import Path
from typing import Any

import pytest

from tests.hollow import hollow
from tests.tiny import write_rows
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, StageError
from tuner.recipe import Recipe
from tuner.registry import planned
from tuner.settings import settings
from tuner.splitting.metrics import Overlap, SplitMetrics
from tuner.splitting.settings import Split
from tuner.stage import Work
from tuner.training import process
from tuner.training.metrics import Trained
from tuner.training.stage import TRAIN
from tuner.training.train import leak

CHECK = {
    "exact_overlap": 0,
    "near_overlap": 0,
    "similarity": 0.5,
    "ngram": 5,
    "template_ngrams": 0,
    "pairs_compared": 12,
}


def split_metrics(**check: Any) -> SplitMetrics:
    """Metrics of a split without leaks, except for the given figures."""
    return hollow(SplitMetrics, check=Overlap.model_validate(CHECK | check))


def a_recipe(tiny: Path) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "t",
            "models": {"generator": str(tiny), "student": str(tiny)},
            "generation": {"rows": 1},
            "training": {"pt": {"method": "prompt_tuning", "virtual_tokens": 3, "epochs": 1, "batch_size": 6}},
        }
    )


def a_training(tiny: Path, tmp_path: Path, split: dict[str, Any]) -> Work:
    """The training of the recipe's adapter, of a store that holds the split."""
    recipe, store = a_recipe(tiny), Store(str(tmp_path / "store"))
    wanted = planned(recipe)

    def write(folder: Path) -> dict[str, Any]:
        write_rows(folder / "train.parquet")
        return split

    store.build(wanted.one("split"), write)
    return Work(recipe, wanted.one("train", "pt"), store, tmp_path / "attempt")


def test_the_stage_keeps_the_artifact_and_nothing_else(tiny: Path, tmp_path: Path) -> None:
    work = a_training(tiny, tmp_path, split_metrics().model_dump(mode="json"))
    metrics = TRAIN.work(work)
    assert isinstance(metrics, Trained)
    folder = work.folder
    assert sorted(path.name for path in folder.iterdir()) == ["adapter", "curve.parquet"]
    assert not (settings().folder("checkpoints") / work.part.fingerprint).exists()
    weights = folder / "adapter" / "adapter_model.safetensors"
    assert (metrics.method, metrics.steps, metrics.epochs) == ("prompt_tuning", 2, 1)
    assert metrics.trainable_parameters == 3 * 64
    assert metrics.trainable_ratio == metrics.trainable_parameters / metrics.total_parameters < 1
    assert metrics.train_loss > 0
    assert metrics.tokens_per_second == pytest.approx(metrics.tokens / metrics.seconds, rel=0.05)
    assert metrics.adapter_bytes == weights.stat().st_size >= 3 * 64 * 4
    assert (metrics.peak_memory_of, metrics.device) == ("process", "cpu")
    assert metrics.peak_memory_bytes > metrics.adapter_bytes
    assert metrics.resumed_from_step is None


def test_nothing_is_trained_on_data_that_leak(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "train", lambda *_: pytest.fail("a worker was started"))
    work = a_training(tiny, tmp_path, split_metrics(near_overlap=3).model_dump(mode="json"))
    with pytest.raises(StageError, match=r"^train pt: .*; nothing was trained: make the split again$"):
        TRAIN.work(work)
    assert not (tmp_path / "attempt").exists()


@pytest.mark.parametrize(
    "check",
    [
        {},
        {"check": None},
        {"instructions_on_both_sides": 0},
        {"check": {}},
        {"check": {key: CHECK[key] for key in ("exact_overlap", "similarity", "ngram")}},
        {"check": CHECK | {"near_overlap": None}},
        {"check": CHECK | {"similarity": None}},
    ],
)
def test_nothing_is_trained_on_data_that_were_not_checked(
    check: dict[str, Any], tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "train", lambda *_: pytest.fail("a worker was started"))
    counts = split_metrics().model_dump(mode="json", exclude={"check"})
    work = a_training(tiny, tmp_path, counts | check)
    with pytest.raises(DamagedArtifactError, match=r"^artifact split/.* its metrics do not fit .*: check"):
        TRAIN.work(work)


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        ({"exact_overlap": 1, "near_overlap": 2}, "1 validation rows are equal and 2 similar"),
        ({"near_overlap": 1}, "0 validation rows are equal and 1 similar"),
        ({"similarity": 0.6}, "checked for leaks at similarity 0.6 of 5-grams"),
        ({"ngram": 8}, "the recipe requires 0.5 of 5-grams"),
        ({}, None),
        ({"similarity": 0.4}, None),
    ],
)
def test_a_split_is_trusted_by_its_check_alone(check: dict[str, Any], fault: str | None) -> None:
    problem = leak(split_metrics(**check), Split(similarity=0.5, ngram=5))
    assert problem is None if fault is None else fault in str(problem)
