"""`tuner up`: a server, a worker, the deployments; a run triggered there, and its stages cached the second time."""

import json
import os
import re
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Tuner, free_port, start

pytestmark = pytest.mark.e2e


def call(url: str, data: dict[str, Any] | None = None) -> Any:
    """GETs, or POSTs JSON."""
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read() or "null")


def triggered(url: str, deployment: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Triggers a deployment as the UI does and waits for the flow run to end."""
    identifier = call(f"{url}/deployments/name/{deployment}")["id"]
    run = call(f"{url}/deployments/{identifier}/create_flow_run", {"parameters": parameters})["id"]
    end = time.monotonic() + 300
    while time.monotonic() < end:
        state = call(f"{url}/flow_runs/{run}")
        if state["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            return state
        time.sleep(1)
    raise TimeoutError(run)


def states(url: str, flow_run: str) -> dict[str, str]:
    """The state's name of every task run of a flow run."""
    runs = call(f"{url}/task_runs/filter", {"flow_runs": {"id": {"any_": [flow_run]}}})
    return {run["name"]: run["state_name"] for run in runs}


def test_triggered_from_a_deployment_then_cached(recipe: Path, tmp_path: Path, tuner: Tuner) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    up = start(["up", "--port", str(port)])
    try:
        for line in up.stdout:
            if "Ctrl-C" in line:
                break
        else:
            raise AssertionError(up.stderr.read())
        parameters = {"recipe": recipe.read_text(), "overrides": ["training.lora.epochs=1"]}

        first = triggered(url, "pipeline/pipeline", parameters)
        assert first["state_type"] == "COMPLETED", first["state"]["message"]
        assert first["name"] == "words: lora, prompt_tuning"
        assert set(states(url, first["id"]).values()) == {"Completed"}

        second = triggered(url, "pipeline/pipeline", parameters)
        assert set(states(url, second["id"]).values()) == {"Cached"}

        clock = time.monotonic()
        result = tuner("run", str(recipe), "--set", "training.lora.epochs=1")
        assert result.returncode == 0, result.stderr
        assert time.monotonic() - clock < 8, "a cached run, shown in the UI"
        flow_run = re.search(r"flow-run/(\S+)", result.stdout)[1]
        assert set(states(url, flow_run).values()) == {"Cached"}

        schedule = call(f"{url}/deployments/name/regenerate/regenerate")["schedules"][0]
        assert (schedule["active"], schedule["schedule"]["cron"]) == (False, "0 3 * * 1")
    finally:
        os.kill(up.pid, signal.SIGINT)
        up.communicate(timeout=60)
    assert up.returncode == 0
    assert not (tmp_path / "home" / "prefect" / "server.json").exists()
