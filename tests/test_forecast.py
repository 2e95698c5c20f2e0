"""An estimate of a plan's cost is based on comparable steps of the past."""

from pathlib import Path

import pytest

from tests.e2e.words import MADE as NAMES
from tests.plans import data, make
from tuner.artifacts.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def test_without_history_there_is_no_estimate_but_a_reason(store: Store) -> None:
    make(store, "models.generator=owner/other", stages=("generate",))
    estimate = data(store)["estimate"]
    assert estimate["minutes"] is None
    assert estimate["tokens"] is None
    assert estimate["basis"] == f"no comparable past step for: {', '.join(NAMES)}"


def test_stages_without_history_are_named(store: Store) -> None:
    make(store, stages=("generate", "examine", "match", "curate"))
    estimate = data(store, "curation.duplicates.keep=2")["estimate"]
    assert estimate["minutes"] is None
    assert estimate["basis"] == "no comparable past step for: split, train, evaluate, report"
    assert estimate["stages"]["curate"]["minutes"] == 1


def test_an_estimate_is_based_on_comparable_steps(store: Store) -> None:
    make(store, seconds=60)
    estimate = data(store, "generation.rows=144")["estimate"]
    # Two shards, drawn and examined, then match, curate, split, two trainings, evaluate, report: a minute each.
    assert estimate["minutes"] == pytest.approx(11)
    assert estimate["tokens"] == 2 * 1000 + 2 * 1000
    assert estimate["basis"] == "past manifests in this store"


def test_an_estimate_scales_with_epochs_and_shard_rows(store: Store) -> None:
    make(store, seconds=60)
    longer = data(store, "training.lora.epochs=6")["estimate"]["stages"]
    assert longer["train"]["minutes"] == pytest.approx(2)
    assert longer["train"]["tokens"] == 2000
    smaller = data(store, "generation.shard_rows=12")["estimate"]["stages"]
    assert smaller["generate"]["minutes"] == pytest.approx(4)


def test_the_median_of_several_counts(store: Store) -> None:
    for keep, seconds in ((2, 60), (3, 120), (4, 6000)):
        make(store, f"curation.duplicates.keep={keep}", stages=("curate",), seconds=seconds)
    assert data(store)["estimate"]["stages"]["curate"]["minutes"] == pytest.approx(2)
