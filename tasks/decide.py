"""The task that moves the aliases, shows the decision and emits an event."""

from dataclasses import asdict

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event

from tasks import display
from tasks.policy import OPTIONS
from tuner.artifacts.store import Store
from tuner.errors import StageError
from tuner.regeneration import decision
from tuner.settings import settings


# Not cached: the decision is in the store, and deciding again moves nothing.
@task(name="decide", task_run_name="decide: {run}", **(OPTIONS | {"cache_policy": NO_CACHE, "persist_result": False}))
def decide(run: str, comparison: str) -> str:
    """Moves the aliases according to a comparison.

    Args:
        run: The run that was compared.
        comparison: The fingerprint of the comparison.

    Returns:
        The decision in one line.
    """
    store = Store(settings().store)
    compared = store.find("compare", comparison)
    if compared is None:
        raise StageError(f"compare {comparison[:12]}... is missing in the store; run the comparison first")
    decided = decision.decide(store, run, compared)
    display.decision(decided)
    emit_event(
        f"tuner.champion.{'promoted' if decided.promoted else 'kept'}",
        resource={"prefect.resource.id": "tuner.alias.champion", "prefect.resource.name": "champion"},
        payload={
            "run": decided.run,
            "adapter": decided.adapter,
            "fingerprint": decided.fingerprint,
            "before": asdict(decided.champion) if decided.champion else None,
            **decided.comparison.model_dump(mode="json"),
        },
    )
    return decided.line
