"""Work placed on pools: two pipelines share it, and a cancelled pipeline cancels its flow runs there."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.deployments.processes import PATIENCE, until
from tests.e2e.conftest import Begin, artifacts_of, until_checkpoint
from tests.e2e.workers.cluster import Cluster
from tests.rest import call
from tests.trainings import log_of, trainings

pytestmark = pytest.mark.e2e


@pytest.fixture
def parameters(one_adapter: Path) -> dict[str, Any]:
    """Parameters of a pipeline: a recipe up to its training."""
    return {"recipe_yaml": one_adapter.read_text(), "until_stage": "train"}


def test_two_pipelines_at_once_share_their_work(cluster: Cluster, parameters: dict[str, Any]) -> None:
    parameters["overrides"] = ["name=shared", "seed=31"]
    first, second = (cluster.wait(run) for run in [cluster.trigger("pipeline", **parameters) for _ in range(2)])

    assert [run["state_type"] for run in (first, second)] == ["COMPLETED"] * 2, (first["state"], second["state"])
    assert max(first["start_time"], second["start_time"]) < min(first["end_time"], second["end_time"]), "at once"
    made = artifacts_of(cluster.store, "shared")
    assert {stage for stage, _ in made} == {"generate", "examine", "match", "curate", "split", "train"}
    for (stage, fingerprint), manifest in made.items():
        folder = cluster.store / "artifacts" / stage / fingerprint
        assert [path.name for path in folder.iterdir() if path.is_dir()] == [manifest["attempt"]], "made once"
    assert [len(cluster.runs("shared-", name)) for name in ("generate", "tune")] == [1, 1]


def training_with_checkpoint(cluster: Cluster) -> tuple[psutil.Process, Path]:
    """Waits for a training process on the pool to write a checkpoint; returns it and its checkpoint folder."""
    (child,) = until(lambda: trainings(cluster.home), "a training begins")
    checkpoints = log_of(child.pid).parent
    until_checkpoint(checkpoints)
    return child, checkpoints


def assert_cancelled(cluster: Cluster, recipe: str, child: psutil.Process, checkpoints: Path) -> None:
    """Checks that the placed training is cancelled: its process has ended, and its checkpoint is kept."""
    until(lambda: not child.is_running(), "the training process has ended", 40)
    (placed,) = cluster.runs(f"{recipe}-", "tune")
    assert cluster.wait(placed["id"])["state_type"] == "CANCELLED"
    assert list(checkpoints.glob("checkpoint-*/complete.json"))
    assert not (cluster.store / "artifacts" / "train" / checkpoints.name / "manifest.json").exists()


def test_the_placed_work_of_a_pipeline_is_cancelled_with_it(cluster: Cluster, parameters: dict[str, Any]) -> None:
    parameters["overrides"] = ["name=cancelled", "seed=31", "training.lora.epochs=120"]
    run = cluster.trigger("pipeline", **parameters)
    child, checkpoints = training_with_checkpoint(cluster)

    call(f"{cluster.url}/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})

    assert_cancelled(cluster, "cancelled", child, checkpoints)
    assert cluster.wait(run)["state_type"] == "CANCELLED"


def test_the_placed_work_of_the_terminal_is_cancelled_by_ctrl_c(
    cluster: Cluster, one_adapter: Path, begin: Begin, tmp_path: Path
) -> None:
    overrides = ["name=interrupted", "seed=31", "training.lora.epochs=121"]
    command = ["run", str(one_adapter), "--until", "train", *(part for each in overrides for part in ("--set", each))]
    process = begin(*command, **{**cluster.environment, "TUNER_HOME": str(tmp_path / "terminal")})
    child, checkpoints = training_with_checkpoint(cluster)

    os.killpg(process.pid, signal.SIGINT)

    assert_cancelled(cluster, "interrupted", child, checkpoints)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr.strip().splitlines()[-1][:18]) == (130, "tuner: interrupted"), stderr


def test_a_regeneration_compares_on_the_pool(cluster: Cluster, parameters: dict[str, Any]) -> None:
    text = parameters["recipe_yaml"].replace("name: words", "name: again").replace("seed: 7", "seed: 31")
    # Enough rows that 20 are held out, which a decision needs.
    text = text.replace("rows: 24", "rows: 72").replace("shard_rows: 8", "shard_rows: 36")
    text = text.replace("validation: 0.3", "validation: 0.6")
    run = cluster.wait(cluster.trigger("regenerate", recipe_yaml=text))
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    (compared,) = cluster.runs("compare: again", "compare")
    assert (compared["state_type"], compared["work_pool_name"]) == ("COMPLETED", "gpu")
    assert list(cluster.store.glob("aliases/champion/*.json"))
