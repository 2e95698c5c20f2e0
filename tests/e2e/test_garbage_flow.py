"""The flow `collect-garbage`: what was removed stands in a table in the UI."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rest import call

pytestmark = pytest.mark.e2e


def collect(url: str, argument: str) -> str:
    command = f"from flows.collect_garbage import collect_garbage; print(collect_garbage({argument}))"
    done = subprocess.run(
        [sys.executable, "-c", command],
        env={**os.environ, "PREFECT_API_URL": url},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def tables(url: str) -> list[dict]:
    return call(f"{url}/artifacts/filter", {"artifacts": {"key": {"any_": ["garbage"]}}, "sort": "UPDATED_DESC"})


def test_what_goes_is_told_before_and_after(prefect_url: str, tmp_path: Path) -> None:
    dead = tmp_path / "store" / "artifacts" / "curate" / ("0" * 64) / "attempt" / "rows.parquet"
    dead.parent.mkdir(parents=True)
    dead.write_bytes(b"x" * 100)
    os.utime(dead, (0, 0))

    assert collect(prefect_url, "dry_run=True") == "100"
    assert dead.exists()
    assert tables(prefect_url)[0]["description"].startswith("1 things, 100 bytes would be removed in ")

    assert collect(prefect_url, "") == "100"
    assert not dead.exists()
    after = tables(prefect_url)[0]
    assert after["description"].startswith("1 things, 100 bytes removed in ")
    assert json.loads(after["data"]) == [{"what": "attempt", "of": "curate", "number": 1, "bytes": 100}]

    assert collect(prefect_url, "") == "0"
    assert json.loads(tables(prefect_url)[0]["data"])[0]["what"] == "nothing"
