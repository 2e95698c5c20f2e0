"""The flow `pipeline` as a worker runs it: invalid values are refused, and only the chosen stages run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.processes import PATIENCE
from tests.e2e.conftest import Tuner, artifacts_of
from tests.rest import call, states
from tests.warm import Warm

pytestmark = pytest.mark.e2e

FLOW = """
import json, sys
from deployments.environment import environment
environment()
from flows.pipeline import pipeline
pipeline(**json.loads(sys.argv[1]))
"""


def run(warm: Warm, url: str, name: str, **parameters: Any) -> dict[str, Any]:
    """Runs the flow to its end; returns the newest flow run whose name contains `name`."""
    warm.start(FLOW, json.dumps(parameters), PREFECT_API_URL=url).communicate(timeout=PATIENCE)
    newest = {"flow_runs": {"name": {"like_": name}}, "sort": "START_TIME_DESC", "limit": 1}
    return call(f"{url}/flow_runs/filter", newest)[0]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("refused", {"overrides": ["training.lora.lerning_rate=1"]}),
        ("refused", {"recipe_yaml": "name: ["}),
        ("unwilling-", {"overrides": ["name=unwilling"], "from_stage": "train"}),
    ],
)
def test_the_flow_refuses_with_the_message_of_the_command_line(
    warm: Warm, prefect_url: str, one_adapter: Path, tuner: Tuner, tmp_path: Path, name: str, wrong: dict[str, Any]
) -> None:
    if "recipe_yaml" in wrong:
        one_adapter.write_text(wrong["recipe_yaml"])
    options = [part for override in wrong.get("overrides", []) for part in ("--set", override)]
    message = tuner("run", str(one_adapter), *options, "--from", wrong.get("from_stage", "generate")).stderr.strip()

    refused = run(warm, prefect_url, name, **{"recipe_yaml": one_adapter.read_text(), **wrong})

    assert refused["state_type"] == "FAILED"
    assert refused["state"]["message"] == message.removeprefix("tuner: ").replace(str(one_adapter), "recipe_yaml")
    logged = call(f"{prefect_url}/logs/filter", {"logs": {"flow_run_id": {"any_": [refused["id"]]}}})
    assert "Traceback" not in "".join(entry["message"] for entry in logged)
    assert states(prefect_url, refused["id"]) == {}, "nothing was computed"
    assert not (tmp_path / "store" / "artifacts").exists()


def test_a_pipeline_begins_and_ends_with_the_chosen_stages(
    warm: Warm, prefect_url: str, one_adapter: Path, tmp_path: Path
) -> None:
    parameters = {"recipe_yaml": one_adapter.read_text(), "overrides": ["name=partly"]}
    first = run(warm, prefect_url, "partly", **parameters, until_stage="examine")
    assert first["state_type"] == "COMPLETED", first["state"]["message"]
    assert {stage for stage, _ in artifacts_of(tmp_path / "store", "partly")} == {"generate", "examine"}

    second = run(warm, prefect_url, "partly", **parameters, from_stage="match", until_stage="split")
    assert second["state_type"] == "COMPLETED", second["state"]["message"]
    shown = states(prefect_url, second["id"])
    assert {state for name, state in shown.items() if name.split()[0] in ("generate", "examine")} == {"Cached"}
    made = {stage for stage, _ in artifacts_of(tmp_path / "store", "partly")}
    assert made == {"generate", "examine", "match", "curate", "split"}
