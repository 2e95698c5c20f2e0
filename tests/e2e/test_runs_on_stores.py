"""The same run on a folder and on S3: cached, resumed, repaired alike."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Tuner
from tuner.specs import STAGES

pytestmark = pytest.mark.e2e


def test_run_again_change_and_grow(recipe: Path, tuner: Tuner, prefect_url: str, store_url: str) -> None:
    environment = {"PREFECT_API_URL": prefect_url, "TUNER_STORE": store_url}

    first = tuner("run", str(recipe), **environment)
    assert first.returncode == 0, first.stderr
    name = re.search(r"run +(\S+)", first.stdout)[1]

    def plan(*overrides: str) -> dict:
        given = [part for override in overrides for part in ("--set", override)]
        return json.loads(tuner("plan", str(recipe), *given, "--json", **environment).stdout)

    assert {stage["stage"]: stage["status"] for stage in plan()["stages"]} == dict.fromkeys(STAGES, "cached")
    changed = plan("training.lora.learning_rate=1e-3")["stages"]
    assert [stage["status"] for stage in changed] == ["cached"] * 5 + ["partial", "missing", "missing"]
    assert "learning_rate: 0.0002 -> 0.001" in changed[5]["reason"]
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
    walked = json.loads(tuner("show", name, "--row", row, "--json", **environment).stdout)["row"]
    assert (walked["side"], walked["verdict"], walked["reasons"]) == ("train", "kept", [])
    assert walked["instruction_prompt"] and walked["seed"] > 0

    report = Path(tuner("report", name, **environment).stdout.strip())
    assert "<html" in report.read_text()[:200]


def test_a_damaged_file_is_named_and_its_stage_computed_again(
    recipe: Path, tuner: Tuner, prefect_url: str, tmp_path: Path
) -> None:
    environment = {"PREFECT_API_URL": prefect_url}
    command = ("run", str(recipe), "--until", "split")
    assert tuner(*command, **environment).returncode == 0
    (rows,) = (tmp_path / "store").glob("artifacts/curate/*/*/rows/00000.parquet")
    whole = rows.read_bytes()
    rows.write_bytes(whole[:-100])

    plan = json.loads(tuner("plan", str(recipe), "--json", **environment).stdout)
    assert "rows/00000.parquet" in plan["stages"][3]["reason"]
    assert tuner(*command, **environment).returncode == 0
    copies = (tmp_path / "store").glob("artifacts/curate/*/*/rows/00000.parquet")
    assert [path.read_bytes() for path in copies].count(whole) == 1


def test_altered_bytes_of_the_same_length_are_never_used(
    recipe: Path, tuner: Tuner, prefect_url: str, tmp_path: Path
) -> None:
    environment = {"PREFECT_API_URL": prefect_url}
    assert tuner("run", str(recipe), "--until", "split", **environment).returncode == 0
    (train,) = (tmp_path / "store").glob("artifacts/split/*/*/train.parquet")
    data = bytearray(train.read_bytes())
    data[len(data) // 2] ^= 1
    train.write_bytes(bytes(data))

    assert tuner("run", str(recipe), "--until", "train", **environment).returncode == 0

    manifest = json.loads(next((tmp_path / "store").glob("artifacts/split/*/manifest.json")).read_text())
    assert manifest["attempt"] not in str(train), "the damaged attempt is not the artifact any more"
