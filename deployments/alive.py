"""The health check of the Prefect server's background services, which send heartbeats to Redis.

They listen on no port, so this is used instead: `python -m deployments.alive` exits with 0 if they run, else 1.
"""

import asyncio
import sys

from docket import Docket
from prefect.settings import get_current_settings

# The web server has a Docket worker too, but only the services evaluate triggers.
SERVICE_TASK = "evaluate_proactive_triggers_periodic"


async def alive() -> bool:
    """Whether a worker of the services has sent a heartbeat in the last ten seconds."""
    async with Docket(name="prefect", url=get_current_settings().server.docket.url) as docket:
        return any(SERVICE_TASK in worker.tasks for worker in await docket.workers())


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(alive()) else 1)
