"""Caching and retries of all tasks: the one place that depends on Prefect's rules for them."""

from typing import Any

from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.logging.loggers import task_run_logger
from prefect.tasks import Task
from prefect.transactions import IsolationLevel

from tuner.errors import TunerError

RETRIES = 2
RETRY_DELAY_SECONDS = 5.0


def _key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """`<stage>/<fingerprint>`: a task's result depends only on the artifact's fingerprint."""
    return f"{context.task.name}/{parameters['fingerprint']}"


def is_transient(error: object) -> bool:
    """Whether an error is transient, such as a killed child or a broken connection, but never a wrong setting."""
    if isinstance(error, TunerError):
        return bool(getattr(error, "retryable", False))
    return isinstance(error, OSError | MemoryError)


def should_retry(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether to retry a failed task; if so, logs the cause in one line.

    Prefect calls this only while there are retries left.
    """
    error = state.result(raise_on_failure=False)
    retry = is_transient(error)
    if retry:
        cause = " ".join(str(error).split()) or type(error).__name__
        task_run_logger(run, task).warning(
            "Retry %d of %d in %g s: %s", run.run_count, task.retries, task.retry_delay_seconds, cause
        )
    return retry


OPTIONS: dict[str, Any] = {
    # The default policy's key contains the run's id, so it would never reuse a result across runs.
    "cache_policy": CacheKeyFnPolicy(cache_key_fn=_key).configure(isolation_level=IsolationLevel.READ_COMMITTED),
    "persist_result": True,
    "result_serializer": "json",
    "cache_result_in_memory": False,
    "retries": RETRIES,
    "retry_delay_seconds": RETRY_DELAY_SECONDS,
    "retry_condition_fn": should_retry,
}
"""Options of every task."""
