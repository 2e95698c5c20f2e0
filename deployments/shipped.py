"""The deployments that ship here, and why a worker of this project refuses to run what does not.

Whoever may ask the server may make a deployment there whose pull step or entrypoint is any code at all, or give one of
ours a command or an environment of another. What a worker runs is therefore taken from here; what the server says
besides is only compared with it, so that nobody waits for what is not done.
"""

from functools import cache
from importlib import resources
from typing import Any

import yaml
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse

from deployments.pools import template
from deployments.settings import POOLS, Cluster
from tuner.registry import STAGES


@cache
def listed() -> list[dict[str, Any]]:
    """The deployments: those of `prefect.yaml`, and one for each stage."""
    named = yaml.safe_load((resources.files("deployments") / "prefect.yaml").read_text())["deployments"]
    like = named[0]
    return named + [
        {
            "name": stage.flow,
            "version": like["version"],
            "description": stage.does,
            "entrypoint": f"flows.stages.{stage.name}",
            "tags": like["tags"],
            "work_pool": {"name": "gpu" if stage.gpu else "cpu"},
        }
        for stage in STAGES.values()
    ]


@cache
def job_template(pool: str) -> dict[str, Any]:
    """The base job template of a pool whose workers start processes."""
    return template(pool, Cluster(pool_type="process"))


def refusal(run: FlowRun, deployment: DeploymentResponse | None, pool: WorkPool) -> str | None:
    """Why a process worker does not run a flow run; None if it does.

    Args:
        run: The flow run.
        deployment: Its deployment, if it has one.
        pool: The work pool that it comes from.
    """
    if deployment is None:
        return "the flow run has no deployment; this worker runs only the deployments that ship with it"
    foreign = f"deployment {deployment.name}: this worker runs only what ships with it, and not"
    if deployment.entrypoint not in {each["entrypoint"] for each in listed()}:
        return f"{foreign} the entrypoint {deployment.entrypoint}"
    if deployment.pull_steps:
        return f"{foreign} the pull step {', '.join(step for each in deployment.pull_steps for step in each)}"
    if deployment.storage_document_id:
        return f"{foreign} code from a storage block"
    if variables := {**deployment.job_variables, **(run.job_variables or {})}:
        return (
            f"job variables ({', '.join(variables)}): this worker takes none from the server; "
            "set what a run is to know in the worker's environment"
        )
    if pool.name not in POOLS or pool.base_job_template != job_template(pool.name):
        return (
            f"work pool {pool.name}: its base job template is not the one that ships with this worker; "
            "python -m deployments.register restores it"
        )
    return None
