"""The work pools `cpu` and `gpu`, with base job templates for each type of worker.

There is one YAML file per type, with one base job template per pool.
"""

import os
from importlib import resources
from typing import Any

import yaml
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from deployments.settings import POOLS, Cluster, cluster
from tuner.errors import InputError

PASSED = ("TUNER_STORE", "TUNER_PLACEMENT", "TUNER_REPORTS", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION")
"""Variables of containers besides credentials; processes inherit them, Kubernetes jobs get them from a secret."""

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def register(client: SyncPrefectClient) -> None:
    """Creates the pools, or updates their templates; a user's pauses and limits are kept.

    Raises:
        InputError: If a pool exists with another type, or containers could not reach the store.
    """
    chosen = cluster()
    templates = {pool: template(pool, chosen) for pool in POOLS}
    if chosen.pool_type == "docker":
        _save_credentials()
    for pool, pool_template in templates.items():
        try:
            existing = client.read_work_pool(pool)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=pool, type=chosen.pool_type, base_job_template=pool_template))
            continue
        if existing.type != chosen.pool_type:
            raise InputError(
                f"TUNER_POOL_TYPE={chosen.pool_type}: the server has a work pool {pool} of type {existing.type}; "
                f"delete it first (prefect work-pool delete {pool})"
            )
        client.update_work_pool(pool, WorkPoolUpdate(base_job_template=pool_template))


def template(pool: str, chosen: Cluster) -> dict[str, Any]:
    """The base job template of a pool.

    Raises:
        InputError: If containers could not reach the store.
    """
    file = resources.files("deployments.pools") / f"{chosen.pool_type}.yaml"
    job_template = yaml.safe_load(file.read_text())[pool]
    variables = job_template["variables"]["properties"]
    if chosen.pool_type == "process":
        return job_template
    variables["image"]["default"] = chosen.image
    if chosen.pool_type == "docker":
        if not os.environ.get("TUNER_STORE", "").startswith("s3://"):
            raise InputError("TUNER_STORE: containers share no folder; set it to s3://bucket/prefix")
        job_template["job_configuration"]["env"].update(
            {name: os.environ[name] for name in PASSED if os.environ.get(name)}
        )
        variables["networks"]["default"] = [chosen.network] if chosen.network else []
    return job_template


def _save_credentials() -> None:
    """Saves the store's credentials in secret blocks, to which the template of Docker's pools refers."""
    for name in KEYS:
        value = os.environ.get(name)
        if not value:
            raise InputError(f"{name}: set it, so that containers reach the store")
        Secret(value=SecretStr(value)).save(f"tuner-{name.lower().replace('_', '-')}", overwrite=True)
