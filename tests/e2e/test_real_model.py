"""The real chat model end to end, as a new user runs it: without a server, up to the report."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Tuner

pytestmark = pytest.mark.e2e

SMALLER = [
    "generation.rows=20",
    "generation.instruction.max_tokens=64",
    "generation.response.max_tokens=48",
    # These limits cut off half of the rows.
    "curation.ignore=[cut_response, unfinished_response]",
    "split.validation=0.3",
    "training.lora.epochs=1",
    "training.prompt_tuning.epochs=1",
    "training.lora.max_length=128",
    "training.prompt_tuning.max_length=128",
    "evaluation.sample_tokens=8",
    "evaluation.samples=2",
]


def test_a_small_quickstart(tuner: Tuner, tmp_path: Path) -> None:
    arguments = ["quickstart", *(part for setting in SMALLER for part in ("--set", setting))]

    result = tuner("run", *arguments)

    assert result.returncode == 0, result.stderr
    name = re.findall(r"^run {2,}(\S+)", result.stdout, re.M)[0]
    report = Path(re.findall(r"^report {2,}(\S+)", result.stdout, re.M)[0])
    comparison = json.loads((report.parent / "comparison.json").read_text())
    assert report.stat().st_size > 50_000
    assert re.search(r"lora|prompt_tuning", result.stdout)
    assert comparison

    (log,) = (tmp_path / "home" / "prefect").glob("temporary-server.log")
    log.unlink()
    again = tuner("run", *arguments)
    assert again.returncode == 0, again.stderr
    assert not log.exists(), "a run with nothing to do needs no server"

    rows = json.loads(tuner("show", name, "--json").stdout)["adapters"]["lora"]["training_rows"]
    assert rows
