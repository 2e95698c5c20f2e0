"""GPU slots: a global concurrency limit that a task takes while it computes.

Taken inside the task's body, since what a task run holds by its tags it also holds while it waits for a retry. The
lease runs out by itself when the process that holds it is killed. A server that is being restarted is waited for when a
slot is taken; Prefect's own client gives up at once where its first request finds nobody.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
from prefect import get_run_logger
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency

from tuner.registry import STAGES
from tuner.settings import settings
from tuner.training import devices

LIMIT = "gpu"
"""The limit's name. Where the server has none of that name, nothing is held back."""

ON_GPU = {stage.name for stage in STAGES.values() if stage.gpu} | {"compare"}
"""The stages that compute on a GPU where there is one."""

LEASE_SECONDS = 60.0
"""The shortest that the server takes; it is renewed while the holder lives."""

PATIENCE_SECONDS = 240.0
"""How long a server that does not answer is waited for; `deployments.environment` makes other requests as patient."""


@contextmanager
def slot(stage: str) -> Iterator[None]:
    """Holds a slot for the duration of a block, if the stage computes on a device that others want too."""
    placement = settings().placement
    wanted = bool(devices.visible()) if placement == "local" else placement == "pools"  # Ray counts its GPUs itself
    if stage not in ON_GPU or not wanted:
        yield
        return
    held = _taken()
    try:
        yield
    finally:
        try:
            held.close()
        except httpx.TransportError:
            # What was computed is whole all the same.
            get_run_logger().warning(f"The server does not answer; the GPU slot is free in {LEASE_SECONDS:.0f} s")


def _taken() -> ExitStack:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        held = ExitStack()
        try:
            held.enter_context(concurrency(LIMIT, occupy=1, lease_duration=LEASE_SECONDS))
            return held
        except ConcurrencySlotAcquisitionError as error:
            if not isinstance(error.__cause__, httpx.TransportError) or time.monotonic() > end:
                raise
            time.sleep(2)
