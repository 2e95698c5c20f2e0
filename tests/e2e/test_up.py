"""`tuner up`: a server, workers, the deployments; a run triggered there, and its stages cached the second time."""

import os
import re
import signal
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Tuner, start_server
from tests.rest import artifacts, call, states, trigger, wait

pytestmark = pytest.mark.e2e


def test_triggered_from_a_deployment_then_cached(recipe: Path, tmp_path: Path, tuner: Tuner) -> None:
    up, url = start_server()
    try:
        parameters = {"recipe_yaml": recipe.read_text(), "overrides": ["training.lora.epochs=1"]}

        first = wait(url, trigger(url, "pipeline", parameters))
        assert first["state_type"] == "COMPLETED", first["state"]["message"]
        assert first["name"] == "words: lora r2, prompt_tuning 4 tokens"
        assert set(states(url, first["id"]).values()) == {"Completed"}

        second = wait(url, trigger(url, "pipeline", parameters))
        assert set(states(url, second["id"]).values()) == {"Cached"}

        clock = time.monotonic()
        result = tuner("run", str(recipe), "--set", "training.lora.epochs=1")
        assert result.returncode == 0, result.stderr
        assert time.monotonic() - clock < 16, "a cached run, shown in the UI"
        for run in (first, second):
            posted = artifacts(url, run["id"])
            report = re.search(r"\((http://127\.0\.0\.1:\d+/[0-9a-f]{64})\)", posted["report"])[1]
            with urllib.request.urlopen(report) as page:
                assert "prompt_tuning" in page.read().decode()
            with urllib.request.urlopen(posted["figure-model-comparison"]) as picture:
                assert picture.read().startswith(b"\x89PNG")
        flow_run = re.search(r"flow-run/(\S+)", result.stdout)[1]
        assert set(states(url, flow_run).values()) == {"Cached"}

        schedule = call(f"{url}/deployments/name/regenerate/regenerate")["schedules"][0]
        assert (schedule["active"], schedule["schedule"]["cron"]) == (False, "0 3 * * 1")
    finally:
        os.kill(up.pid, signal.SIGINT)
        up.communicate(timeout=60)
    assert up.returncode == 0
    assert not (tmp_path / "home" / "prefect" / "server.json").exists()


def test_says_which_of_its_processes_ended(tmp_path: Path) -> None:
    up, _ = start_server()
    [server] = [child for child in psutil.Process(up.pid).children() if "deployments.server" in child.cmdline()]
    server.kill()
    log = tmp_path / "home" / "prefect" / "server.log"
    assert up.communicate(timeout=60)[1] == f"tuner: the server ended by itself with exit code -9; its log is {log}\n"
    assert up.returncode == 1
