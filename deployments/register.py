"""Makes the work pool and the deployments of `prefect.yaml` on the server that `PREFECT_API_URL` names.

Through the client, not `prefect deploy`, which would switch a schedule off again that a person switched on in the UI.
"""

from importlib import import_module, resources
from typing import Any

import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentScheduleUpdate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import Flow
from prefect.workers.process import ProcessWorker

from deployments.local import POOL


def register() -> None:
    """Creates or updates pool and deployments; a schedule that a person switched on in the UI stays on."""
    file = resources.files("deployments") / "prefect.yaml"
    with get_client(sync_client=True) as client:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template), overwrite=True)
        known = {deployment.name for deployment in client.read_deployments()}
    for each in yaml.safe_load(file.read_text())["deployments"]:
        _deployment(each, new=each["name"] not in known).apply()


def _deployment(named: dict[str, Any], new: bool) -> RunnerDeployment:
    module, name = named["entrypoint"].rsplit(".", 1)
    flow: Flow[..., object] = getattr(import_module(module), name)
    schedules: list[DeploymentScheduleCreate | DeploymentScheduleUpdate] = [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"]), active=schedule["active"]
        )
        for schedule in named.get("schedules", [])
    ]
    deployment = RunnerDeployment(
        name=named["name"],
        flow_name=flow.name,
        entrypoint=named["entrypoint"],
        description=named["description"],
        tags=named["tags"],
        parameters=named["parameters"],
        work_pool_name=named["work_pool"]["name"],
    )
    if new:
        deployment.schedules = schedules
    deployment._set_defaults_from_flow(flow)
    return deployment


if __name__ == "__main__":
    register()
