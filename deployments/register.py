"""Registers pools, limit, automations and deployments with the server at `PREFECT_API_URL`.

It is idempotent and keeps changes made in the UI: a schedule that was switched on, a pool that was paused, a limit that
was raised, an automation that was switched off. That is why it uses the client instead of `prefect deploy`.
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
        InputError: If a setting conflicts with the state of the server.
    """
    with get_client(sync_client=True) as client:
        pools.register(client)
        limits.register(client)
        automations.register(client)
        known = {deployment.name for deployment in client.read_deployments()}
    for each in listed():
        _deployment(each, new=each["name"] not in known).apply()


def _deployment(spec: dict[str, Any], new: bool) -> RunnerDeployment:
    module, name = spec["entrypoint"].rsplit(".", 1)
    flow: Flow[..., object] = getattr(import_module(module), name)
    schedules: list[DeploymentScheduleCreate | DeploymentScheduleUpdate] = [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"]), active=schedule["active"]
        )
        for schedule in spec.get("schedules", [])
    ]
    deployment = RunnerDeployment(
        name=spec["name"],
        version=spec["version"],
        flow_name=flow.name,
        entrypoint=spec["entrypoint"],
        description=spec["description"],
        tags=spec["tags"],
        work_pool_name=spec["work_pool"]["name"],
    )
    if new:
        deployment.schedules = schedules
    deployment._set_defaults_from_flow(flow)
    for field in deployment._parameter_openapi_schema.properties.values():
        # The UI's form sends defaults back, and the server rejects the null of an empty number.
        if "default" in field and field["default"] is None:
            del field["default"]
    return deployment


if __name__ == "__main__":
    command(register)
