"""Metrics are read from a manifest as they were written, or refused in one line."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.hollow import hollow
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.curation.metrics import Diversity, Neighbours
from tuner.errors import DamagedArtifactError
from tuner.evaluation.metrics import Evaluated, Loss
from tuner.metrics import Metrics
from tuner.regeneration.metrics import Compared
from tuner.registry import STAGES
from tuner.splitting.metrics import Overlap, SplitMetrics, TuningChecks

ALL_METRICS = [*(stage.metrics for stage in STAGES.values()), Compared]


def stored(metrics: dict[str, Any], folder: Path) -> Manifest:
    """The manifest of an artifact with these metrics, read from the store."""
    store, spec = Store(str(folder)), Spec("split", 2, {}, {})
    store.build(spec, lambda folder: metrics)
    manifest = store.find("split", spec.fingerprint)
    assert manifest
    return manifest


@pytest.mark.parametrize("kind", ALL_METRICS, ids=lambda kind: kind.__name__)
def test_metrics_read_back_as_written(kind: type[Metrics], tmp_path: Path) -> None:
    written = hollow(kind)
    assert kind.read(stored(written.model_dump(mode="json"), tmp_path)) == written


def test_nested_metrics_read_back_as_written(tmp_path: Path) -> None:
    nearest = Neighbours(median=0.25, mean=0.5, of=3)
    written = hollow(Diversity, nearest_neighbour=nearest, openings={"write a": 0.5})
    assert Diversity.read(stored(written.model_dump(mode="json"), tmp_path)) == written


def test_numbers_that_are_not_finite_are_none(tmp_path: Path) -> None:
    infinite = Loss(loss=math.nan, low=-math.inf, high=math.inf, tokens=3, rows=1)
    plain = hollow(Evaluated, subjects={"base": infinite}).model_dump(mode="json")
    assert json.dumps(plain["subjects"], allow_nan=False)
    base = Evaluated.read(stored(plain, tmp_path)).subjects["base"]
    assert (base.loss, base.low, base.high) == (None, None, None)


def test_a_leaking_pair_is_available_but_not_stored() -> None:
    leaking = hollow(Overlap, example=("a", "b"))
    assert leaking.example == ("a", "b")
    assert "example" not in leaking.model_dump(mode="json")


def test_a_split_with_tuning_rows_reads_back_as_written(tmp_path: Path) -> None:
    checks = TuningChecks(training=hollow(Overlap), validation=hollow(Overlap, pairs_compared=3))
    written = hollow(SplitMetrics, tuning=7, tuning_checks=checks)
    plain = written.model_dump(mode="json")
    assert (plain["tuning"], plain["tuning_checks"]["validation"]["pairs_compared"]) == (7, 3)
    assert SplitMetrics.read(stored(plain, tmp_path)) == written
    assert len(written.checks) == 3


def test_the_metrics_of_a_split_without_tuning_rows_are_those_of_before() -> None:
    names = "train validation left_out former_rows clusters clustered_rows largest_cluster check"
    assert list(hollow(SplitMetrics).model_dump(mode="json")) == names.split()
    assert len(hollow(SplitMetrics).checks) == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"train": None}, "train: Input should be a valid integer"),
        ({"check": {}}, "check.exact_overlap: Field required"),
        ({"instructions_on_both_sides": 0}, "instructions_on_both_sides: Extra inputs are not permitted"),
    ],
)
def test_metrics_of_another_model_are_damage(change: dict[str, Any], problem: str, tmp_path: Path) -> None:
    manifest = stored(hollow(SplitMetrics).model_dump(mode="json") | change, tmp_path)
    with pytest.raises(DamagedArtifactError) as caught:
        SplitMetrics.read(manifest)
    assert str(caught.value) == (
        f"artifact split/{manifest.fingerprint[:12]} is damaged: its metrics do not fit this version of the "
        f"stage: {problem}"
    )
