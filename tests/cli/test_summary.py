"""The summary at the end of a run, and the text of its lineage."""

from pathlib import Path

import pytest

from cli.summary import lineage_text, summary
from tests.hollow import hollow
from tuner import loading
from tuner.artifacts.store import Store
from tuner.curation.metrics import Curated
from tuner.registry import planned

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 2}
training: {lora: {method: lora}}
"""


def last_line(tmp_path: Path, flow_run: str | None) -> str:
    record = {"name": "mine", "recipe": loading.parse(RECIPE).model_dump(mode="json"), "flow_run": flow_run}
    return summary(Store(str(tmp_path / "store")), record).splitlines()[-1]


def test_without_a_server_the_summary_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert last_line(tmp_path, "abc") == "Prefect   tuner up, then http://127.0.0.1:4200/v2/runs/flow-run/abc"
    assert last_line(tmp_path, None) == "Prefect   tuner up, then http://127.0.0.1:4200/v2"


def test_a_running_server_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4300/api")
    assert last_line(tmp_path, "abc") == "Prefect   http://127.0.0.1:4300/v2/runs/flow-run/abc"


@pytest.mark.parametrize(("action", "expected"), [("redact", ["masked    personal data in 1,234 rows"]), ("mark", [])])
def test_masked_rows_are_counted(tmp_path: Path, action: str, expected: list[str]) -> None:
    recipe = loading.parse(RECIPE, [f"curation.safety.personal_data={action}"])
    store = Store(str(tmp_path / "store"))
    curated = hollow(Curated, marks={"personal_data": 1234, "toxic": 0})
    store.build(planned(recipe).one("curate"), lambda folder: curated.model_dump(mode="json"))
    record = {"name": "mine", "recipe": recipe.model_dump(mode="json"), "flow_run": None}
    assert [line for line in summary(store, record).splitlines() if line.startswith("masked")] == expected


def test_the_error_of_a_failed_run_comes_first() -> None:
    record = {"name": "mine", "state": "failed", "started": "2026-01-02T03:04:05+00:00", "error": "the disk\nis full"}
    data = {"run": record, "artifacts": [], "adapters": {}}
    assert lineage_text(data).splitlines()[0] == "failed: the disk is full"
    assert lineage_text({**data, "run": {**record, "error": None}}).startswith("mine: ")
