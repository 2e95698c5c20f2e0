"""`regenerate` as a worker runs it: a first champion, a second round with a challenger, a killed round resumed."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.processes import PATIENCE, kill, until
from tests.e2e.conftest import manifests
from tests.present import present
from tests.rest import call, states
from tests.warm import Warm
from tuner import loading
from tuner.artifacts import aliases, parquet
from tuner.artifacts.store import Store
from tuner.regeneration.rounds import following

pytestmark = pytest.mark.e2e

FLOW = (
    "import sys; from deployments.environment import environment; environment(); "
    "from flows.regenerate import regenerate; "
    "regenerate(recipe_yaml=sys.argv[1])"
)


def run_flow(warm: Warm, recipe: Path, url: str) -> None:
    process = warm.start(FLOW, recipe.read_text(), PREFECT_API_URL=url)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr


def kill_flow(warm: Warm, recipe: Path, url: str, store: Path) -> None:
    """Starts the flow and kills it as soon as it has generated a shard."""
    process = warm.start(FLOW, recipe.read_text(), PREFECT_API_URL=url)
    before = sum(stage == "generate" for stage, _ in manifests(store))
    while sum(stage == "generate" for stage, _ in manifests(store)) == before:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    kill(process)


def records(store: Path) -> list[dict[str, Any]]:
    parsed = [json.loads(path.read_text()) for path in store.glob("runs/*/run.json")]
    return sorted(parsed, key=lambda record: record["recipe"]["generation"].get("rounds", 1))


def rows(store: Store, record: dict[str, Any], side: str) -> set[str]:
    fingerprint = next(each["fingerprint"] for each in record["artifacts"] if each["stage"] == "split")
    split = present(store.find("split", fingerprint))
    return set(parquet.read(store.fetch(split, f"{side}.parquet"))["row_id"].to_pylist())


def made(record: dict[str, Any], stage: str) -> list[str]:
    return [each["label"] for each in record["artifacts"] if each["stage"] == stage and each["outcome"] == "made"]


def test_three_rounds_of_which_the_last_is_killed_and_resumed(
    one_adapter: Path, tmp_path: Path, prefect_url: str, warm: Warm
) -> None:
    folder = tmp_path / "store"
    store = Store(str(folder))
    # One shard per round, and enough rows that 20 are held out, which a decision needs.
    text = (
        one_adapter.read_text()
        .replace("rows: 24", "rows: 72")
        .replace("shard_rows: 8", "shard_rows: 72")
        .replace("validation: 0.3", "validation: 0.6")
        .replace("epochs: 4", "epochs: 1")
    )
    one_adapter.write_text(text.replace("name: words", "name: rounds"))

    run_flow(warm, one_adapter, prefect_url)
    (first,) = records(folder)
    champion = present(aliases.current(store, "champion"))
    assert (champion.run, champion.adapter, champion.why) == (first["name"], "lora", "there is no champion yet")

    run_flow(warm, one_adapter, prefect_url)
    first, second = records(folder)
    assert (second["state"], second["recipe"]["generation"]["rounds"]) == ("completed", 2)
    assert made(second, "generate") == ["round 2 shard 1"]
    assert made(second, "match") == ["round 2 part 1"]
    for side in ("train", "validation"):
        assert rows(store, first, side) <= rows(store, second, side)
    assert rows(store, first, "train") < rows(store, second, "train")
    assert [entry.run for entry in aliases.history(store, "challenger")] == [first["name"], second["name"]]
    (compared,) = (each for each in store.manifests("compare") if "champion" in each.inputs)
    promoted = compared.metrics["difference"]["high"] < 0
    assert compared.metrics["outcome"] == ("better" if promoted else "not_better")
    assert present(aliases.current(store, "champion")).run == (second if promoted else first)["name"]

    # As if the flow had been killed just before its end: the next one makes the decision before a new round.
    (folder / "aliases" / "challenger" / "000002.json").unlink()
    kill_flow(warm, one_adapter, prefect_url, folder)
    assert [entry.run for entry in aliases.history(store, "challenger")] == [first["name"], second["name"]]
    third = records(folder)[-1]
    assert (third["state"], third["recipe"]["generation"]["rounds"]) == ("running", 3)
    complete = manifests(folder)
    run_flow(warm, one_adapter, prefect_url)
    *_, third = records(folder)
    assert [record["state"] for record in records(folder)] == ["completed"] * 3
    after = manifests(folder)
    assert all(after[key]["attempt"] == manifest["attempt"] for key, manifest in complete.items())
    assert len(aliases.history(store, "challenger")) == 3
    assert following(loading.load(str(one_adapter)), store).generation.rounds == 4
    for side in ("train", "validation"):
        assert rows(store, second, side) <= rows(store, third, side)

    assert_posted(prefect_url, [record["name"] for record in (first, second, second, third)])


def assert_posted(url: str, runs: list[str]) -> None:
    """Checks that each decision is an artifact and an event, and that the flow run has its tasks."""
    posted = call(f"{url}/artifacts/filter", {"artifacts": {"key": {"any_": ["decision"]}}, "sort": "CREATED_DESC"})
    # Later tables contain the run's name too, as the champion's.
    for run, artifact in zip(reversed(runs), posted, strict=True):
        assert f"| challenger | {run} | lora | " in artifact["data"]

    def events_of_all_runs() -> dict[str, Any] | None:
        answer = call(f"{url}/events/filter", {"filter": {"resource": {"id": ["tuner.alias.champion"]}}, "limit": 50})
        events = {event["payload"]["run"]: event for event in answer["events"]}
        return events if set(runs) <= set(events) else None

    events = until(events_of_all_runs, "the server has the events")
    assert events[runs[0]]["event"] == "tuner.champion.promoted"
    assert events[runs[1]]["payload"]["difference"]["low"] is not None
    filtered = {"flow_runs": {"name": {"any_": [f"{runs[0]}: another round"]}}, "sort": "START_TIME_ASC"}
    flow_runs = call(f"{url}/flow_runs/filter", filtered)
    last = states(url, flow_runs[-1]["id"])
    assert last[f"compare: {runs[-1]}"] == last[f"decide: {runs[-1]}"] == "Completed"
