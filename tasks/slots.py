"""GPU slots: a global concurrency limit that a task takes while it computes.

It is taken inside the task's body, since a limit by tags is lease also while a task run waits for a retry. The lease
expires by itself if the process that holds it is killed. Taking a slot waits for a server that is being restarted;
Prefect's client gives up at once if its first request fails.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
from prefect import get_run_logger
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency

from tuner.generation.engines import ON_SERVERS
from tuner.generation.stage import GENERATE
from tuner.registry import STAGES
from tuner.settings import settings
from tuner.training import devices

LIMIT = "gpu"
"""The limit's name. If the server has no such limit, tasks do not wait."""

ON_GPU = {stage.name for stage in STAGES.values() if stage.gpu} | {"compare"}
"""The stages that use a GPU if there is one; see `uses_gpu`."""

LEASE_SECONDS = 60.0
"""The minimum that the server allows; the lease is renewed while its process lives."""

PATIENCE_SECONDS = 240.0
"""How long to wait for a server that does not answer; `deployments.environment` sets the same for other requests."""


def uses_gpu(stage: str) -> bool:
    """Whether a stage uses a GPU of this machine or its workers, if there is one: not where servers draw the rows."""
    return stage in ON_GPU and not (stage == GENERATE.name and settings().engine in ON_SERVERS)


@contextmanager
def slot(stage: str) -> Iterator[None]:
    """Holds a slot for the duration of a block, if the stage uses a GPU that others may use too."""
    placement = settings().placement
    needed = bool(devices.visible()) if placement == "local" else placement == "pools"  # Ray schedules its GPUs itself
    if not needed or not uses_gpu(stage):
        yield
        return
    lease = _acquire()
    try:
        yield
    finally:
        try:
            lease.close()
        except httpx.TransportError:
            # The result is complete nevertheless.
            get_run_logger().warning(f"The server does not answer; the GPU slot is released in {LEASE_SECONDS:.0f} s")


def _acquire() -> ExitStack:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        lease = ExitStack()
        try:
            lease.enter_context(concurrency(LIMIT, occupy=1, lease_duration=LEASE_SECONDS))
            return lease
        except ConcurrencySlotAcquisitionError as error:
            if not isinstance(error.__cause__, httpx.TransportError) or time.monotonic() > end:
                raise
            time.sleep(2)
