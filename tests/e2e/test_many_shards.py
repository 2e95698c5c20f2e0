"""A stage with many shards is computed by child flows; here, with more than four."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from flows.placement import TAG
from tests.deployments.processes import PATIENCE
from tests.e2e.conftest import manifests
from tests.rest import call, states
from tests.warm import Warm
from tuner import loading
from tuner.generation.shards import DEFAULT
from tuner.registry import planned, run_name

pytestmark = pytest.mark.e2e

GROUPS = ("shard 1 to shard 4", "shard 5 to shard 6")

FLOW = """
import json, sys
from deployments.environment import environment
environment()
from flows import placement
placement.MOST_TASKS = placement.CHILD_TASKS = 4
from flows.pipeline import pipeline
pipeline(**json.loads(sys.argv[1]))
"""
"""Runs the flow with limits that six shards exceed."""


def run(warm: Warm, url: str, **parameters: Any) -> tuple[int, str]:
    """Runs the flow; returns its exit code and standard error."""
    process = warm.start(FLOW, json.dumps(parameters), PREFECT_API_URL=url)
    _, stderr = process.communicate(timeout=PATIENCE)
    return process.wait(), stderr


def flow_runs(url: str, recipe: str) -> list[dict]:
    """The flow runs of a recipe, by start time."""
    named = {"flow_runs": {"name": {"like_": f"{recipe}-"}}, "sort": "START_TIME_ASC"}
    return call(f"{url}/flow_runs/filter", named)


def test_many_shards_run_in_child_flows_and_are_then_cached(
    recipe: Path, tmp_path: Path, prefect_url: str, warm: Warm
) -> None:
    text, changes = recipe.read_text(), ("name=many", "generation.shard_rows=4")
    code, stderr = run(warm, prefect_url, recipe_yaml=text, overrides=changes, until_stage="match")
    assert code == 0, stderr

    parent, *children = flow_runs(prefect_url, "many")
    name = run_name(loading.parse(text, changes))
    assert [run["name"] for run in children] == [
        *(f"{name}: generate {group}" for group in GROUPS),
        *(f"{name}: examine {group}" for group in GROUPS),
    ]
    assert {each["state_type"] for each in (parent, *children)} == {"COMPLETED"}
    assert all(run["parent_task_run_id"] and run["tags"] == [TAG] for run in children)
    assert states(prefect_url, children[1]["id"]) == {f"generate shard {n}": "Completed" for n in (5, 6)}
    assert states(prefect_url, children[2]["id"]) == {f"examine shard {n}": "Completed" for n in (1, 2, 3, 4)}

    made = manifests(tmp_path / "store")
    for number, spec in enumerate(planned(loading.parse(text, changes)).of("generate")):
        attempt = made["generate", spec.fingerprint]["attempt"]
        rows = tmp_path / "store" / "artifacts" / "generate" / spec.fingerprint / attempt / "rows.parquet"
        assert parquet.read_table(rows)["row_id"].to_pylist() == [f"7-{number:05}-{index:05}" for index in range(4)]

    code, stderr = run(warm, prefect_url, recipe_yaml=text, overrides=changes, until_stage="match")
    assert code == 0, stderr
    assert manifests(tmp_path / "store") == made
    again = flow_runs(prefect_url, "many")[len(children) + 1 :]
    for each in again[1:]:
        assert set(states(prefect_url, each["id"]).values()) == {"Cached"}
    assert len(again) == len(children) + 1


def test_a_failed_shard_fails_the_pipeline_with_its_error(
    recipe: Path, tmp_path: Path, prefect_url: str, warm: Warm
) -> None:
    text = recipe.read_text()
    # A model that can be looked at, but not loaded.
    damaged = shutil.copytree(loading.parse(text).generator(DEFAULT), tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"")
    changes = ("name=broken", "generation.shard_rows=4", f"models.generator={damaged}")
    _, stderr = run(warm, prefect_url, recipe_yaml=text, overrides=changes, until_stage="generate")
    assert "InputError" in stderr and str(damaged) in stderr
    parent, *children = flow_runs(prefect_url, "broken")
    assert [run["name"] for run in children] == [f"{run_name(loading.parse(text, changes))}: generate {GROUPS[0]}"]
    assert {each["state_type"] for each in (parent, *children)} == {"FAILED"}
