"""The task that runs a deployment on a worker pool and waits for the flow run."""

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

from tasks.policy import RETRIES, RETRY_DELAY_SECONDS, should_retry
from tuner import hashing, interruption
from tuner.artifacts.store import Store
from tuner.errors import StageError
from tuner.settings import settings

POLL_SECONDS = 2.0

_pending: set[UUID] = set()


class WorkerLostError(StageError):
    """The flow run crashed with its worker, or was cancelled by another pipeline that shared it."""

    retryable = True


@task(
    name="send",
    task_run_name="{label}",
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAY_SECONDS,
    retry_condition_fn=should_retry,
)
def send(deployment: str, parameters: dict[str, Any], wanted: Sequence[tuple[str, str]], label: str) -> None:
    """Makes artifacts on a worker. Pipelines that need the same artifacts share one flow run.

    Args:
        deployment: The name of the deployment, which is also its flow's.
        parameters: Its parameters.
        wanted: Stage and fingerprint of every artifact to be made.
        label: The name of the task run.

    Raises:
        StageError: If the flow run failed.
        WorkerLostError: If it crashed or was cancelled.
    """
    store = Store(settings().store)
    key = hashing.of_text(repr(sorted(wanted)))
    for attempt in count():
        # For a known idempotency key the server returns the existing flow run, even one started by another pipeline.
        run = run_deployment(
            f"{deployment}/{deployment}", parameters=parameters, timeout=0, idempotency_key=f"{key}-{attempt}"
        )
        assert isinstance(run, FlowRun)
        former = run.state is not None and run.state.is_final()
        state = _wait(run.id).state
        if all(store.find(stage, fingerprint) for stage, fingerprint in wanted):
            return
        if former:  # it had ended before, and its artifacts are missing or were removed
            continue
        reason = (state and state.message) or "no reason given"
        if state and state.type == StateType.FAILED:
            raise StageError(f"{label}: {reason}")
        raise WorkerLostError(f"{label}: its flow run {run.name} ended as {state and state.name}: {reason}")


def _wait(identifier: UUID) -> FlowRun:
    _pending.add(identifier)
    try:
        with get_client(sync_client=True) as client:
            while True:
                run = client.read_flow_run(identifier)
                if run.state is not None and run.state.is_final():
                    return run
                time.sleep(POLL_SECONDS)
    finally:
        _pending.discard(identifier)


def cancel_all() -> None:
    """Cancels every flow run that this process waits for, unless the server is unreachable."""
    with suppress(httpx.TransportError), get_client(sync_client=True) as client:
        for identifier in list(_pending):
            client.set_flow_run_state(identifier, Cancelling())


interruption.on_termination(cancel_all)
