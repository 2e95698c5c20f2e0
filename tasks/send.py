"""The task that sends steps to a worker of a pool, as a flow run of a deployment, and waits for it."""

import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Any
from uuid import UUID

import httpx
from prefect import task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.states import Cancelling

from tasks.policy import RETRIES, RETRY_DELAY_SECONDS, tried_again
from tuner import hashing, interruption
from tuner.artifacts.store import Store
from tuner.errors import StageError
from tuner.settings import settings

POLL_SECONDS = 2.0

_waited_for: set[UUID] = set()


class WorkerLostError(StageError):
    """The flow run was lost with its worker, or cancelled by another pipeline that shared it."""

    retryable = True


@task(
    name="send",
    task_run_name="{label}",
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAY_SECONDS,
    retry_condition_fn=tried_again,
)
def send(deployment: str, parameters: dict[str, Any], wanted: Sequence[tuple[str, str]], label: str) -> None:
    """Has artifacts made by a worker. Pipelines that want the same artifacts share one flow run.

    Args:
        deployment: The deployment's name, which is its flow's too.
        parameters: Its parameters.
        wanted: Stage and fingerprint of every artifact that is to be there afterwards.
        label: What the task run is called.

    Raises:
        StageError: If the flow run failed.
        WorkerLostError: If it crashed or was cancelled.
    """
    store = Store(settings().store)
    key = hashing.of_text(repr(sorted(wanted)))
    for attempt in count():
        # The server answers a key that it knows with the flow run it made for it, whoever asked.
        run = run_deployment(
            f"{deployment}/{deployment}", parameters=parameters, timeout=0, idempotency_key=f"{key}-{attempt}"
        )
        assert isinstance(run, FlowRun)
        former = run.state is not None and run.state.is_final()
        state = _ended(run.id).state
        if all(store.find(stage, fingerprint) for stage, fingerprint in wanted):
            return
        if former:  # an earlier attempt's; what it made is gone, or it never made it
            continue
        said = (state and state.message) or "no reason given"
        if state and state.type == StateType.FAILED:
            raise StageError(f"{label}: {said}")
        raise WorkerLostError(f"{label}: its flow run {run.name} ended as {state and state.name}: {said}")


def _ended(identifier: UUID) -> FlowRun:
    _waited_for.add(identifier)
    try:
        with get_client(sync_client=True) as client:
            while True:
                run = client.read_flow_run(identifier)
                if run.state is not None and run.state.is_final():
                    return run
                time.sleep(POLL_SECONDS)
    finally:
        _waited_for.discard(identifier)


def cancel_all() -> None:
    """Cancels every flow run that this process waits for. A server that is gone is told nothing."""
    with suppress(httpx.TransportError), get_client(sync_client=True) as client:
        for identifier in list(_waited_for):
            client.set_flow_run_state(identifier, Cancelling())


interruption.on_end(cancel_all)
