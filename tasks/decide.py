"""The task that moves the aliases, shows the decision and tells whoever listens."""

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


# What was decided stands in the store, and deciding again moves nothing; a remembered result would say less.
@task(name="decide", task_run_name="decide: {run}", **(OPTIONS | {"cache_policy": NO_CACHE, "persist_result": False}))
def decide(run: str, comparison: str) -> str:
    """Moves the aliases as a comparison says.

    Args:
        run: The run that was compared.
        comparison: The fingerprint of the comparison.

    Returns:
        The decision in a line.
    """
    store = Store(settings().store)
    compared = store.find("compare", comparison)
    if compared is None:
        raise StageError(f"compare {comparison[:12]}... is missing in the store; compare first")
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
