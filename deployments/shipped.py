"""The deployments that ship with this package, and the check that a worker runs no others.

Anyone with access to the server can create a deployment whose pull step or entrypoint is arbitrary code, or change the
command or environment of one of ours. A worker therefore takes what it runs from here; what the server says is only
compared with it, so that a flow run which differs fails with a reason.
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
    deployments = yaml.safe_load((resources.files("deployments") / "prefect.yaml").read_text())["deployments"]
    first = deployments[0]
    return deployments + [
        {
            "name": stage.flow,
            "version": first["version"],
            "description": stage.does,
            "entrypoint": f"flows.stages.{stage.name}",
            "tags": first["tags"],
            "work_pool": {"name": "gpu" if stage.gpu else "cpu"},
        }
        for stage in STAGES.values()
    ]


@cache
def job_template(pool: str) -> dict[str, Any]:
    """The base job template of a pool with process workers."""
    return template(pool, Cluster(pool_type="process"))


def refusal(run: FlowRun, deployment: DeploymentResponse | None, pool: WorkPool) -> str | None:
    """Why a process worker refuses a flow run; None if it runs it.

    Args:
        run: The flow run.
        deployment: Its deployment, if it has one.
        pool: Its work pool.
    """
    if deployment is None:
        return "the flow run has no deployment; this worker runs only the deployments that ship with it"
    prefix = f"deployment {deployment.name}: this worker runs only what ships with it, not"
    if deployment.entrypoint not in {each["entrypoint"] for each in listed()}:
        return f"{prefix} the entrypoint {deployment.entrypoint}"
    if deployment.pull_steps:
        return f"{prefix} the pull step {', '.join(step for each in deployment.pull_steps for step in each)}"
    if deployment.storage_document_id:
        return f"{prefix} code from a storage block"
    if variables := {**deployment.job_variables, **(run.job_variables or {})}:
        return (
            f"job variables ({', '.join(variables)}): this worker takes none from the server; "
            "set them in the worker's environment instead"
        )
    if pool.name not in POOLS or pool.base_job_template != job_template(pool.name):
        return (
            f"work pool {pool.name}: its base job template is not the one that ships with this worker; "
            "python -m deployments.register restores it"
        )
    return None
