"""What Prefect reads of the environment, and what is known of a local server: the one place for both."""

import logging
import os

from tuner.settings import settings

SERVER_FILE = "server.json"
"""In the home folder while `tuner up` runs: the server's URL."""

START_SECONDS = 180.0
"""How long a Prefect server may take to start, and a busy one to answer."""

PREFECT = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # A server that forgets the leases when it is restarted never frees the GPU slots that were held then.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    # Waits double from 2 s: a server that is restarted is waited for about four minutes.
    "PREFECT_CLIENT_MAX_RETRIES": "7",
    # By this a server's automation knows that a flow run lives; by default none is sent.
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}
"""What Prefect reads when it is imported, the server as well as its clients."""


def environment() -> None:
    """Sets what Prefect reads: quiet on the terminal, everything kept under the home folder."""
    home = settings().folder("prefect")
    for key, value in {"PREFECT_HOME": str(home), **PREFECT, "DO_NOT_TRACK": "1", "TQDM_DISABLE": "1"}.items():
        os.environ.setdefault(key, value)
    # What libraries deprecate is for their authors, not for whoever watches a run.
    logging.captureWarnings(True)


def pages(api: str) -> str:
    """The address below which a server has the pages of its UI.

    Args:
        api: Its API's URL.
    """
    # Without `/v2` only the first page leads to the new UI; every other one is the old UI's.
    return f"{api.rstrip('/').removesuffix('/api')}/v2"
