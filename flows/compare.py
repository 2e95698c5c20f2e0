"""The flow `compare`: evaluates a regeneration's best adapter against the champion, on a GPU worker."""

from prefect import flow

from flows import placement
from flows.input_errors import fail_on_input_error
from flows.stopping import stoppable
from tuner.artifacts.store import Store
from tuner.regeneration.contest import contest
from tuner.settings import settings


@flow(name="compare", flow_run_name="compare: {run}", task_runner=placement.task_runner(), persist_result=False)
@fail_on_input_error
def compare(run: str) -> str:
    """Compares a run's best adapter with the champion; `regenerate` acts on the result.

    Args:
        run: The name of a completed run.

    Returns:
        The comparison's fingerprint.
    """
    spec = contest(Store(settings().store), run).spec
    with stoppable(None):
        placement.submit_comparison(spec, run, local=True).result()
    return spec.fingerprint
