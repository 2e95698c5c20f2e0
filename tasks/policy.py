"""How every task is cached, retried and timed: the one place that knows Prefect's rules for it."""

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
    """`<stage>/<fingerprint>`: what a task makes is decided by its artifact's name and nothing else."""
    return f"{context.task.name}/{parameters['fingerprint']}"


def passes_next_time(error: object) -> bool:
    """Whether a failure can pass next time: a killed child, a broken connection; never a wrong setting."""
    if isinstance(error, TunerError):
        return bool(getattr(error, "retryable", False))
    return isinstance(error, OSError | MemoryError)


def tried_again(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed task is tried again; the cause is then one line of its log.

    Prefect asks only while there are retries left.
    """
    error = state.result(raise_on_failure=False)
    again = passes_next_time(error)
    if again:
        cause = " ".join(str(error).split()) or type(error).__name__
        task_run_logger(run, task).warning(
            "Retry %d of %d in %g s: %s", run.run_count, task.retries, task.retry_delay_seconds, cause
        )
    return again


OPTIONS: dict[str, Any] = {
    # The default policy contains the run's id, so it would never reuse anything across runs.
    "cache_policy": CacheKeyFnPolicy(cache_key_fn=_key).configure(isolation_level=IsolationLevel.READ_COMMITTED),
    "persist_result": True,
    "result_serializer": "json",
    "cache_result_in_memory": False,
    "retries": RETRIES,
    "retry_delay_seconds": RETRY_DELAY_SECONDS,
    "retry_condition_fn": tried_again,
}
"""Options of every task."""
