"""The flow `compare`: a regeneration's best adapter against the champion, where there is a GPU for both."""

from prefect import flow

from flows import placement
from flows.refusing import refusing
from flows.stopping import stoppable
from tuner.artifacts.store import Store
from tuner.regeneration.contest import contest
from tuner.settings import settings


@flow(name="compare", flow_run_name="compare: {run}", task_runner=placement.runner(), persist_result=False)
@refusing
def compare(run: str) -> str:
    """Compares a run's best adapter with the champion; `regenerate` decides on what comes out.

    Args:
        run: The name of a run that has ended.

    Returns:
        The comparison's fingerprint.
    """
    spec = contest(Store(settings().store), run).spec
    with stoppable(None):
        placement.compared(spec, run, here=True).result()
    return spec.fingerprint
