"""Makes what the server that `PREFECT_API_URL` names has to know: pools, limit, automations, deployments.

Safe to repeat, and kind to what a person changed in the UI: a schedule that was switched on, a pool that was paused, a
limit that was raised, an automation that was switched off stay so. That is why it goes through the client and not
through `prefect deploy`.
"""

from importlib import import_module
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentScheduleUpdate
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import Flow

from deployments import automations, limits, pools
from deployments.command import command
from deployments.shipped import listed


def register() -> None:
    """Creates or updates everything.

    Raises:
        InputError: If a setting does not fit what the server has.
    """
    with get_client(sync_client=True) as client:
        pools.register(client)
        limits.register(client)
        automations.register(client)
        known = {deployment.name for deployment in client.read_deployments()}
    for each in listed():
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
        version=named["version"],
        flow_name=flow.name,
        entrypoint=named["entrypoint"],
        description=named["description"],
        tags=named["tags"],
        work_pool_name=named["work_pool"]["name"],
    )
    if new:
        deployment.schedules = schedules
    deployment._set_defaults_from_flow(flow)
    for field in deployment._parameter_openapi_schema.properties.values():
        # The form sends a default back as it is, and the server takes the null of an empty number for a wrong one.
        if "default" in field and field["default"] is None:
            del field["default"]
    return deployment


if __name__ == "__main__":
    command(register)
