"""A finished run in a folder and on S3 is found cached, planned and shown; damage is repaired."""

import json
from pathlib import Path

import fsspec
import pytest

from tests.e2e.conftest import Finished, Tuner
from tests.e2e.words import MADE

pytestmark = pytest.mark.e2e


def test_a_finished_run_is_cached_shown_and_planned_with_changes(
    recipe: Path, tuner: Tuner, prefect_url: str, store_url: str, finished: Finished
) -> None:
    name = finished.name
    environment = {"PREFECT_API_URL": prefect_url, "TUNER_STORE": store_url}
    files, root = fsspec.url_to_fs(store_url)
    files.put(str(finished.store), root, recursive=True)

    def plan(*overrides: str) -> dict:
        options = [part for override in overrides for part in ("--set", override)]
        return json.loads(tuner("plan", str(recipe), *options, "--json", **environment).stdout)

    assert {stage["stage"]: stage["status"] for stage in plan()["stages"]} == dict.fromkeys(MADE, "cached")
    changed = {stage["stage"]: stage for stage in plan("training.lora.learning_rate=5e-3")["stages"]}
    assert {name for name, stage in changed.items() if stage["status"] != "cached"} == {"train", "evaluate", "report"}
    assert "learning_rate: 0.001 -> 0.005" in changed["train"]["reason"]
    grown = plan("generation.rows=40")
    assert [(stage["cached"], stage["total"]) for stage in grown["stages"][:2]] == [(3, 5), (3, 5)]
    assert grown["estimate"]["minutes"] > 0

    again = tuner("run", str(recipe), **environment)
    assert again.returncode == 0, again.stderr
    records = json.loads(tuner("runs", "--json", **environment).stdout)
    assert [record["name"] for record in records] == [name]
    assert {artifact["outcome"] for artifact in records[0]["artifacts"]} == {"cached"}

    shown = json.loads(tuner("show", name, "--json", **environment).stdout)
    row = shown["adapters"]["lora"]["training_rows"][0]
    traced = json.loads(tuner("show", name, "--row", row, "--json", **environment).stdout)["row"]
    assert (traced["side"], traced["verdict"], traced["reasons"]) == ("train", "kept", [])
    assert traced["instruction_prompt"] and traced["seed"] > 0

    report = Path(tuner("report", name, **environment).stdout.strip())
    assert "<html" in report.read_text()[:200]


def test_a_damaged_file_is_named_and_its_artifact_made_again(
    recipe: Path, tuner: Tuner, prefect_url: str, tmp_path: Path, finished: Finished
) -> None:
    store = finished.copy(tmp_path / "store", until="split")
    (rows,) = store.glob("artifacts/curate/*/*/rows/00000.parquet")
    whole = rows.read_bytes()
    rows.write_bytes(whole[:-100])

    plan = json.loads(tuner("plan", str(recipe), "--json").stdout)
    (curate,) = (stage for stage in plan["stages"] if stage["stage"] == "curate")
    assert "rows/00000.parquet" in curate["reason"]
    done = tuner("run", str(recipe), "--until", "split", PREFECT_API_URL=prefect_url)
    assert done.returncode == 0, done.stderr
    copies = store.glob("artifacts/curate/*/*/rows/00000.parquet")
    assert [path.read_bytes() for path in copies].count(whole) == 1


def test_altered_bytes_of_the_same_length_are_never_used(
    recipe: Path, tuner: Tuner, prefect_url: str, tmp_path: Path, finished: Finished
) -> None:
    store = finished.copy(tmp_path / "store", until="curate")
    (kept,) = store.glob("artifacts/curate/*/*/kept/00000.parquet")
    whole = bytearray(kept.read_bytes())
    altered = bytearray(whole)
    altered[len(whole) // 2] ^= 1
    kept.write_bytes(altered)

    done = tuner("run", str(recipe), "--until", "split", PREFECT_API_URL=prefect_url)
    assert done.returncode == 0, done.stderr

    manifest = json.loads(next(store.glob("artifacts/curate/*/manifest.json")).read_text())
    assert manifest["attempt"] not in str(kept), "the artifact is a new attempt"
    assert (kept.parents[2] / manifest["attempt"] / "kept" / kept.name).read_bytes() == whole
