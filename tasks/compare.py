"""The task of the stage `compare`."""

from typing import Any

from prefect import task

from tasks import display
from tasks.policy import OPTIONS
from tasks.reference import reference
from tasks.slots import slot
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError
from tuner.regeneration import comparison
from tuner.settings import settings


@task(name="compare", task_run_name="compare: {run}", **OPTIONS)
def compare(fingerprint: str, run: str) -> dict[str, Any]:
    """Compares a run's best adapter with the champion.

    Args:
        fingerprint: The artifact's fingerprint, which is the cache key.
        run: The run's name.

    Returns:
        A reference to the artifact.
    """
    store = Store(settings().store)
    try:
        with slot("compare"), display.shown("compare", ""):
            manifest = comparison.compare(store, run)
    except DamagedArtifactError as damaged:
        # The next regeneration makes the artifact again.
        store.invalidate(damaged)
        raise
    display.table(manifest, "")
    return reference(store, manifest, "")
