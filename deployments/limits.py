"""The global concurrency limit `gpu`: the number of tasks that may use a GPU at once, on all workers together."""

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectNotFound

from deployments.settings import cluster

NAME = "gpu"


def register(client: SyncPrefectClient) -> None:
    """Creates the limit; an existing one is not changed, since a user may have set it."""
    try:
        client.read_global_concurrency_limit_by_name(NAME)
    except ObjectNotFound:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=NAME, limit=cluster().gpu_slots))
