"""Whether the background services of the Prefect server run, by the sign of life that they give in Redis.

They listen on no port, so this is their health check: `python -m deployments.alive` ends with 0 or 1.
"""

import asyncio
import sys

from docket import Docket
from prefect.settings import get_current_settings

# The web server has a worker too, but only the services evaluate triggers.
DUTY = "evaluate_proactive_triggers_periodic"


async def alive() -> bool:
    """Whether a worker with the services' duties has been heard of in the last ten seconds."""
    async with Docket(name="prefect", url=get_current_settings().server.docket.url) as docket:
        return any(DUTY in worker.tasks for worker in await docket.workers())


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(alive()) else 1)
