"""What the terminal says at the end: where the run is to be seen."""

from pathlib import Path

import pytest

from tuner import loading
from tuner.artifacts.store import Store
from tuner.summary import summary

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 2}
training: {lora: {method: lora}}
"""


def said(tmp_path: Path, flow_run: str | None) -> str:
    record = {"name": "mine", "recipe": loading.parse(RECIPE).model_dump(mode="json"), "flow_run": flow_run}
    return summary(Store(str(tmp_path / "store")), record).splitlines()[-1]


def test_without_a_server_it_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert said(tmp_path, "abc") == "Prefect   tuner up, then http://127.0.0.1:4200/runs/flow-run/abc"
    assert said(tmp_path, None) == "Prefect   tuner up, then http://127.0.0.1:4200"


def test_a_server_that_runs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4300/api")
    assert said(tmp_path, "abc") == "Prefect   http://127.0.0.1:4300/runs/flow-run/abc"
