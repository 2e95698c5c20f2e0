"""The environment variables for Prefect, and constants of the local server."""

import logging
import os

from tuner.settings import settings

SERVER_FILE = "server.json"
"""The file in the home folder that holds the server's URL while `tuner up` runs."""

START_SECONDS = 180.0
"""How long to wait for a Prefect server to start, or for a busy one to answer."""

PREFECT = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # A server that loses its leases in a restart never releases the GPU slots that were held.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    # Retry delays double from 2 s, so clients wait about four minutes for a server that is being restarted.
    "PREFECT_CLIENT_MAX_RETRIES": "7",
    # The server's automation needs heartbeats to detect dead flow runs; by default none are sent.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}
"""Variables that Prefect reads when it is imported, in the server and in clients."""


def environment() -> None:
    """Sets Prefect's variables: no output on the terminal, and all files under the home folder."""
    home = settings().folder("prefect")
    for key, value in {"PREFECT_HOME": str(home), **PREFECT, "DO_NOT_TRACK": "1", "TQDM_DISABLE": "1"}.items():
        os.environ.setdefault(key, value)
    # Deprecation warnings of libraries are not for the user.
    logging.captureWarnings(True)


def pages(api: str) -> str:
    """The base URL of a server's UI.

    Args:
        api: The URL of its API.
    """
    # Without `/v2` only the start page leads to the new UI; every other page is the old UI's.
    return f"{api.rstrip('/').removesuffix('/api')}/v2"
