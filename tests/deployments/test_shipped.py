"""What a worker runs: the deployments that ship, as they ship, and nothing that a server says besides."""

import uuid
from importlib import import_module
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.workers.base import BaseWorker
from prefect.workers.process import ProcessWorker

from deployments import shipped, worker
from deployments.register import register
from deployments.settings import POOLS

ENTRYPOINT = "flows.pipeline.pipeline"
SCRIPT = [{"prefect.deployments.steps.run_shell_script": {"script": "touch /tmp/pulled"}}]


def refusal(deployment: dict[str, Any] | None = None, run: dict[str, Any] | None = None, **pool: Any) -> str | None:
    """What is said of a flow run of a deployment that ships, unless it differs."""
    asked = FlowRun(flow_id=uuid.uuid4(), name="asked", **(run or {}))
    of = {"name": "pipeline", "flow_id": asked.flow_id, "entrypoint": ENTRYPOINT, **(deployment or {})}
    template = {"base_job_template": shipped.job_template("cpu")}
    return shipped.refusal(
        asked, DeploymentResponse(**of), WorkPool(**{"name": "cpu", "type": "process", **template, **pool})
    )


def test_what_ships_is_run() -> None:
    assert refusal() is None


def test_a_deployment_of_ones_own_of_a_flow_that_ships_is_run() -> None:
    own = {"name": "mine", "parameters": {"recipe": "original"}, "pull_steps": [], "tags": ["mine"]}
    assert refusal(own, {"parameters": {"rows": 8}, "job_variables": {}}) is None


FOREIGN: dict[str, tuple[dict[str, Any], str]] = {
    "a pull step": ({"deployment": {"pull_steps": SCRIPT}}, "the pull step prefect.deployments.steps.run_shell_script"),
    "a file": ({"deployment": {"entrypoint": "/tmp/evil.py:evil"}}, "the entrypoint /tmp/evil.py:evil"),
    "a module": ({"deployment": {"entrypoint": "os.system"}}, "the entrypoint os.system"),
    "no entrypoint": ({"deployment": {"entrypoint": None}}, "the entrypoint None"),
    "a storage block": ({"deployment": {"storage_document_id": uuid.uuid4()}}, "code from a storage block"),
    "a deployment's command": ({"deployment": {"job_variables": {"command": "touch x"}}}, "job variables (command)"),
    "a run's command": ({"run": {"job_variables": {"command": "touch x"}}}, "job variables (command)"),
    "a run's environment": ({"run": {"job_variables": {"env": {"PYTHONPATH": "/tmp"}}}}, "job variables (env)"),
    "a pool's command": ({"base_job_template": {"job_configuration": {"command": "touch x"}}}, "work pool cpu: "),
    "a pool's absent template": ({"base_job_template": {}}, "work pool cpu: "),
    "another pool": ({"name": "other"}, "work pool other: "),
}


@pytest.mark.parametrize(("given", "said"), FOREIGN.values(), ids=FOREIGN)
def test_what_does_not_is_refused_in_one_line(given: dict[str, Any], said: str) -> None:
    refused = refusal(**given)
    assert refused and said in refused and "\n" not in refused


def test_a_run_without_a_deployment_is_refused() -> None:
    run = FlowRun(flow_id=uuid.uuid4(), name="loose")
    refused = shipped.refusal(run, None, WorkPool(name="cpu", type="process", default_queue_id=uuid.uuid4()))
    assert refused and refused.startswith("the flow run has no deployment")


def test_what_is_registered_is_what_ships(client: SyncPrefectClient) -> None:
    register()
    for each in shipped.listed():
        deployment = client.read_deployment_by_name(f"{each['name']}/{each['name']}")
        run = FlowRun(flow_id=deployment.flow_id, deployment_id=deployment.id)
        pool = client.read_work_pool(each["work_pool"]["name"])
        assert shipped.refusal(run, deployment, pool) is None, each["name"]


def test_the_flows_that_ship_have_no_hooks_that_a_worker_would_leave_out() -> None:
    for each in shipped.listed():
        module, name = each["entrypoint"].rsplit(".", 1)
        flow = getattr(import_module(module), name)
        assert not (flow.on_cancellation_hooks or flow.on_crashed_hooks), name


def test_the_worker_stands_beside_prefects_own() -> None:
    known = BaseWorker.get_worker_class_from_type
    assert (known("process"), known(worker.TYPE)) == (ProcessWorker, worker.ShippedWorker)
    assert worker.ShippedWorker.type == "process", "of the pools"
    assert POOLS == ("cpu", "gpu")
