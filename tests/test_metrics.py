"""What a stage measured is read from the manifest as it was written, or refused in one line."""

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
from tuner.splitting.metrics import Divided, Overlap

EVERY = [*(stage.metrics for stage in STAGES.values()), Compared]


def stored(metrics: dict[str, Any], folder: Path) -> Manifest:
    """The manifest of an artifact as another process reads it."""
    store, spec = Store(str(folder)), Spec("split", 2, {}, {})
    store.build(spec, lambda folder: metrics)
    found = store.find("split", spec.fingerprint)
    assert found
    return found


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_what_is_written_is_what_is_read(kind: type[Metrics], tmp_path: Path) -> None:
    written = hollow(kind)
    assert kind.read(stored(written.model_dump(mode="json"), tmp_path)) == written


def test_groups_of_figures_are_read_as_such(tmp_path: Path) -> None:
    nearest = Neighbours(median=0.25, mean=0.5, of=3)
    written = hollow(Diversity, nearest_neighbour=nearest, openings={"write a": 0.5})
    assert Diversity.read(stored(written.model_dump(mode="json"), tmp_path)) == written


def test_what_is_not_finite_is_none(tmp_path: Path) -> None:
    lost = Loss(loss=math.nan, low=-math.inf, high=math.inf, tokens=3, rows=1)
    plain = hollow(Evaluated, subjects={"base": lost}).model_dump(mode="json")
    assert json.dumps(plain["subjects"], allow_nan=False)
    found = Evaluated.read(stored(plain, tmp_path)).subjects["base"]
    assert (found.loss, found.low, found.high) == (None, None, None)


def test_a_pair_that_leaks_is_said_and_not_kept() -> None:
    leaking = hollow(Overlap, example=("a", "b"))
    assert leaking.example == ("a", "b")
    assert "example" not in leaking.model_dump(mode="json")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"train": None}, "train: Input should be a valid integer"),
        ({"check": {}}, "check.exact_overlap: Field required"),
        ({"instructions_on_both_sides": 0}, "instructions_on_both_sides: Extra inputs are not permitted"),
    ],
)
def test_metrics_of_another_kind_are_damage(change: dict[str, Any], problem: str, tmp_path: Path) -> None:
    manifest = stored(hollow(Divided).model_dump(mode="json") | change, tmp_path)
    with pytest.raises(DamagedArtifactError) as caught:
        Divided.read(manifest)
    assert str(caught.value) == (
        f"artifact split/{manifest.fingerprint[:12]} is damaged: its metrics are not those of this version of the "
        f"stage: {problem}"
    )
