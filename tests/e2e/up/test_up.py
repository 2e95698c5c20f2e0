"""`tuner up`: a server, workers, the deployments; a run triggered there, and cached the second time."""

import json
import re
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.deployments.processes import Processes, free_port, until
from tests.e2e.conftest import Tuner
from tests.e2e.up.conftest import Up, start_up
from tests.rest import artifacts, call, states, trigger, wait

pytestmark = pytest.mark.e2e


def test_a_deployment_runs_and_is_cached_the_second_time(up: Up, one_adapter: Path, tuner: Tuner) -> None:
    overrides = ["name=triggered", "seed=22", "training.lora.epochs=1"]
    parameters = {"recipe_yaml": one_adapter.read_text(), "overrides": overrides}

    first = wait(up.url, trigger(up.url, "pipeline", parameters))
    assert first["state_type"] == "COMPLETED", first["state"]["message"]
    assert re.fullmatch(r"triggered-[0-9a-f]{8}: lora r2", first["name"])
    assert first["state"]["message"].startswith("Too few rows to say")
    assert set(states(up.url, first["id"]).values()) == {"Completed"}

    second = wait(up.url, trigger(up.url, "pipeline", parameters))
    assert set(states(up.url, second["id"]).values()) == {"Cached"}

    options = (part for each in overrides for part in ("--set", each))
    result = tuner("run", str(one_adapter), *options, **up.places)
    assert result.returncode == 0, result.stderr
    for run in (first, second):
        posted = artifacts(up.url, run["id"])
        report = re.findall(r"\((http://127\.0\.0\.1:\d+/[0-9a-f]{64})\)", posted["report"])[0]
        with urllib.request.urlopen(report) as page:
            assert "lora" in page.read().decode()
        with urllib.request.urlopen(posted["figure-model-comparison"]) as picture:
            assert picture.read().startswith(b"\x89PNG")
    flow_run = re.findall(r"flow-run/(\S+)", result.stdout)[0]
    assert set(states(up.url, flow_run).values()) == {"Cached"}, "a run from the terminal is shown in the UI"

    schedule = call(f"{up.url}/deployments/name/regenerate/regenerate")["schedules"][0]
    assert (schedule["active"], schedule["schedule"]["cron"]) == (False, "0 3 * * 1")


def test_processes_end_with_tuner_up_and_it_reports_which_one_ended(tmp_path: Path) -> None:
    """A killed `tuner up` leaves no process and frees its port; one whose server dies says so and ends."""
    files = tmp_path / "home" / "prefect"
    port = free_port()
    killed, again = Processes(tmp_path), Processes(tmp_path / "home")
    try:
        up, _ = start_up(killed, sys.executable, port)
        children = killed.tree("up")[1:]
        assert len(children) >= 4, "server, reports and two workers"
        up.kill()
        until(lambda: not [child for child in children if child.is_running()], "its processes have ended", 30)
        assert (files / "server.json").exists(), "a killed process cannot remove it"

        up, url = start_up(again, sys.executable, port)
        assert json.loads((files / "server.json").read_text())["url"] == url
        [server] = [child for child in again.tree("up") if "deployments.server" in child.cmdline()]
        server.kill()
        assert up.wait(60) == 1
    finally:
        again.end()
        killed.end()
    assert again.said("up").splitlines()[-1] == (
        f"tuner: the server ended unexpectedly with exit code -9; its log is {files / 'server.log'}"
    )
    assert not (files / "server.json").exists()
