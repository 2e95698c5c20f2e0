"""Settings of the cluster from the environment (`TUNER_*`), which only registration reads."""

from functools import lru_cache
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tuner.errors import InputError
from tuner.settings import settings

POOLS = ("cpu", "gpu")
PoolType = Literal["process", "docker", "kubernetes"]


class Cluster(BaseSettings):
    """Read from the environment; an empty variable counts as unset.

    Attributes:
        pool_type: What workers start for a flow run: a process, a container or a Kubernetes job.
        gpu_slots: The number of tasks that may use a GPU at once, on all workers together.
        image: The image of containers and jobs.
        network: The Docker network that containers join; by default the worker chooses.
        notify_block: The block that sends notifications of failures and new champions, as `<type>/<name>`.
    """

    model_config = SettingsConfigDict(env_prefix="TUNER_", env_ignore_empty=True)

    pool_type: PoolType = "process"
    gpu_slots: int = Field(default_factory=lambda: settings().workers, ge=1)
    image: str = "synthetic-instruction-tuner:0.1.0"
    network: str | None = None
    notify_block: str | None = Field(default=None, pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")


@lru_cache(maxsize=1)
def cluster() -> Cluster:
    """The settings of this process.

    Raises:
        InputError: If a variable has a value that is not allowed.
    """
    try:
        return Cluster()
    except ValidationError as error:
        # The value is not printed: a webhook's URL, set by mistake instead of a block's name, is a secret.
        first = error.errors()[0]
        raise InputError(f"TUNER_{str(first['loc'][0]).upper()}: {first['msg']}") from None
