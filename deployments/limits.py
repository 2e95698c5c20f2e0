"""The global concurrency limit `gpu`: how many tasks may use a GPU at once, on all workers together."""

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectNotFound

from deployments.settings import cluster

NAME = "gpu"


def register(client: SyncPrefectClient) -> None:
    """Creates the limit; one that is there stays as it is, since a person may have changed it."""
    try:
        client.read_global_concurrency_limit_by_name(NAME)
    except ObjectNotFound:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=NAME, limit=cluster().gpu_slots))
