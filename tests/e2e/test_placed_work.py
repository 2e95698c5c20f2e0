"""Work that is placed on pools: two pipelines share it, and one that is cancelled ends what it sent."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.deployments.processes import until
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import manifests, start
from tests.rest import call

pytestmark = pytest.mark.e2e


@pytest.fixture
def asked(recipe: Path) -> dict[str, Any]:
    """What the form is filled in with: a recipe with one adapter, up to its training."""
    text = recipe.read_text()
    text = text[: text.index("  prompt_tuning:")] + text[text.index("evaluation:") :]
    return {"recipe_yaml": text, "until_stage": "train"}


def test_two_pipelines_at_once_share_their_work(cluster: Cluster, asked: dict[str, Any]) -> None:
    first, second = (cluster.wait(run) for run in [cluster.trigger("pipeline", **asked) for _ in range(2)])

    assert [run["state_type"] for run in (first, second)] == ["COMPLETED"] * 2, (first["state"], second["state"])
    assert max(first["start_time"], second["start_time"]) < min(first["end_time"], second["end_time"]), "at once"
    made = manifests(cluster.store)
    assert {stage for stage, _ in made} == {"generate", "examine", "match", "curate", "split", "train"}
    for (stage, fingerprint), manifest in made.items():
        folder = cluster.store / "artifacts" / stage / fingerprint
        assert [path.name for path in folder.iterdir() if path.is_dir()] == [manifest["attempt"]], "made once"
    assert [len(cluster.runs(name)) for name in ("generate", "tune")] == [1, 1]


def in_mid_training(cluster: Cluster) -> tuple[psutil.Process, Path]:
    """Waits until a process trains on the pool and has left a checkpoint; returns it and where its checkpoints lie."""

    def trains() -> list[psutil.Process]:
        return [each for each in cluster.processes.tree("gpu") if "tuner.training.worker" in each.cmdline()]

    (child,) = until(trains, 120, "a training begins")
    checkpoints = Path(child.cmdline()[-1]).parent
    until(lambda: list(checkpoints.glob("checkpoint-*/complete.json")), 60, "it leaves a checkpoint")
    return child, checkpoints


def assert_cancelled(cluster: Cluster, child: psutil.Process, checkpoints: Path) -> None:
    """What was sent is cancelled too: its process is gone within ten seconds, and its checkpoint is kept."""
    until(lambda: not child.is_running(), 10, "the process that trained is gone")
    *_, sent = cluster.runs("tune")
    assert cluster.wait(sent["id"])["state_type"] == "CANCELLED"
    assert list(checkpoints.glob("checkpoint-*/complete.json"))
    assert not (cluster.store / "artifacts" / "train" / checkpoints.name / "manifest.json").exists()


def test_what_a_pipeline_sent_is_cancelled_with_it(cluster: Cluster, asked: dict[str, Any]) -> None:
    run = cluster.trigger("pipeline", **asked, overrides=["training.lora.epochs=120"])
    child, checkpoints = in_mid_training(cluster)

    call(f"{cluster.url}/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})

    assert_cancelled(cluster, child, checkpoints)
    assert cluster.wait(run)["state_type"] == "CANCELLED"


def test_what_the_terminal_sent_is_cancelled_by_ctrl_c(cluster: Cluster, asked: dict[str, Any], tmp_path: Path) -> None:
    recipe = tmp_path / "one.yaml"
    recipe.write_text(asked["recipe_yaml"])
    command = ["run", str(recipe), "--until", "train", "--set", "training.lora.epochs=121"]
    process = start(command, **{**cluster.environment, "TUNER_HOME": str(tmp_path / "terminal")})
    child, checkpoints = in_mid_training(cluster)

    os.killpg(process.pid, signal.SIGINT)

    assert_cancelled(cluster, child, checkpoints)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr.strip().splitlines()[-1][:18]) == (130, "tuner: interrupted"), stderr


def test_a_regeneration_compares_on_the_pool(cluster: Cluster, asked: dict[str, Any]) -> None:
    run = cluster.wait(cluster.trigger("regenerate", recipe_yaml=asked["recipe_yaml"]))
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    (compared,) = cluster.runs("compare")
    assert (compared["state_type"], compared["work_pool_name"]) == ("COMPLETED", "gpu")
    assert list(cluster.store.glob("aliases/champion/*.json"))
