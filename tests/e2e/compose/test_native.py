"""The services of docker-compose.yml as local processes: a triggered pipeline, a wrong password, `kill -9`."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.composed import PASSWORDS
from tests.deployments.processes import free_port, until
from tests.e2e.compose.stack import Stack, missing
from tests.e2e.conftest import Tuner
from tests.rest import RefusedError, call, trigger, wait
from tests.warm import Warm

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing()), reason=f"needs Debian's {missing()} (apt-get install {missing()})"),
]

AUTH = PASSWORDS["PREFECT_AUTH"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Iterator[Stack]:
    """All services, with a CPU worker that places its work on the GPU worker."""
    stack = Stack(tmp_path_factory.mktemp("stack"), {"TUNER_PLACEMENT": "pools"}, warm.python)
    try:
        stack.start()
        for worker in ("cpu-worker", "gpu-worker"):
            stack.start_service(worker, PREFECT_WORKER_WEBSERVER_PORT=str(free_port()))
        stack.start_reports()
        yield stack
    finally:
        stack.end()


def state(stack: Stack, run: str) -> dict[str, Any]:
    return call(f"{stack.url}/flow_runs/{run}", auth=AUTH)["state"]


def ended(stack: Stack, run: str) -> dict[str, Any]:
    return wait(stack.url, run, auth=AUTH)["state"]


def test_a_pipeline_triggered_through_the_api_completes(stack: Stack, one_adapter: Path) -> None:
    run = trigger(stack.url, "pipeline", {"recipe_yaml": one_adapter.read_text()}, AUTH)
    last = ended(stack, run)
    assert last["type"] == "COMPLETED", last["message"]
    pools = {flow_run["work_pool_name"] for flow_run in call(f"{stack.url}/flow_runs/filter", {}, AUTH)}
    assert pools == {"cpu", "gpu"}
    posted = call(f"{stack.url}/artifacts/filter", {"artifacts": {"key": {"any_": ["report"]}}}, AUTH)
    (link,) = re.findall(r"\((http://\S+)\)", posted[0]["data"])
    with urllib.request.urlopen(link) as response:
        assert b"held-out loss" in response.read()


def test_the_command_line_uses_the_same_server_and_store(stack: Stack, one_adapter: Path, tuner: Tuner) -> None:
    result = tuner("run", str(one_adapter), **stack.environment("cpu-worker"))
    assert result.returncode == 0, result.stderr
    (record,) = json.loads(tuner("runs", "--json", **stack.environment("cpu-worker")).stdout)
    assert {artifact["outcome"] for artifact in record["artifacts"]} == {"cached"}
    assert state(stack, record["flow_run"])["type"] == "COMPLETED"


@pytest.mark.parametrize("auth", ["", "admin:wrong"])
def test_every_request_needs_the_password(stack: Stack, auth: str) -> None:
    for path, body in (("deployments/filter", {}), ("flow_runs/filter", {}), ("admin/version", None)):
        with pytest.raises(RefusedError) as error:
            call(f"{stack.url}/{path}", body, auth)
        assert error.value.status == 401


def kill_with_worker(stack: Stack, when: str, parameters: dict[str, Any]) -> str:
    """Triggers a pipeline and kills it together with its worker, which is then restarted."""
    run = trigger(stack.url, "pipeline", parameters, AUTH)
    until(lambda: state(stack, run)["type"] == when, f"the flow run is {when}")
    stack.processes.kill("cpu-worker")
    stack.start_service("cpu-worker", PREFECT_WORKER_WEBSERVER_PORT=str(free_port()))
    return run


def test_a_run_killed_with_its_worker_is_marked_crashed_and_can_be_repeated(stack: Stack, one_adapter: Path) -> None:
    parameters = {"recipe_yaml": one_adapter.read_text(), "overrides": ["seed=61"], "until_stage": "generate"}
    for run in [kill_with_worker(stack, "PENDING", parameters), kill_with_worker(stack, "RUNNING", parameters)]:
        assert ended(stack, run)["type"] == "CRASHED"

    again = ended(stack, trigger(stack.url, "pipeline", parameters, AUTH))
    assert again["type"] == "COMPLETED", again["message"]


def test_health_checks_notice_a_dead_service(stack: Stack) -> None:
    assert stack.healthy("prefect")
    assert stack.healthy("services")
    stack.processes.kill("services")
    until(lambda: not stack.healthy("services"), "the health check notices")
