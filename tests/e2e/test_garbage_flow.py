"""The flow `collect-garbage` posts a table of what it removed."""

import json
import os
from pathlib import Path

import pytest

from tests.deployments.processes import PATIENCE
from tests.rest import call
from tests.warm import Warm

pytestmark = pytest.mark.e2e


def collect(warm: Warm, url: str, argument: str) -> str:
    command = f"from flows.collect_garbage import collect_garbage; print(collect_garbage({argument}))"
    process = warm.start(command, PREFECT_API_URL=url)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr
    return stdout.split()[-1]


def tables(url: str) -> list[dict]:
    return call(f"{url}/artifacts/filter", {"artifacts": {"key": {"any_": ["garbage"]}}, "sort": "UPDATED_DESC"})


def test_a_dry_run_and_a_collection_post_what_they_remove(prefect_url: str, tmp_path: Path, warm: Warm) -> None:
    garbage = tmp_path / "store" / "artifacts" / "curate" / ("0" * 64) / "attempt" / "rows.parquet"
    garbage.parent.mkdir(parents=True)
    garbage.write_bytes(b"x" * 100)
    os.utime(garbage, (0, 0))

    assert collect(warm, prefect_url, "dry_run=True") == "100"
    assert garbage.exists()
    assert tables(prefect_url)[0]["description"].startswith("1 items, 100 bytes would be removed in ")

    assert collect(warm, prefect_url, "") == "100"
    assert not garbage.exists()
    after = tables(prefect_url)[0]
    assert after["description"].startswith("1 items, 100 bytes removed in ")
    assert json.loads(after["data"]) == [{"what": "attempt", "of": "curate", "number": 1, "bytes": 100}]

    assert collect(warm, prefect_url, "") == "0"
    assert json.loads(tables(prefect_url)[0]["data"])[0]["what"] == "nothing"
