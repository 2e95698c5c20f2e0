"""Retries and cache keys of the tasks."""

import inspect
import pkgutil
from importlib import import_module
from typing import Any, cast

import pytest
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import TaskRun
from prefect.context import TaskRunContext
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Failed
from prefect.tasks import Task

import tasks
from tasks.policy import RETRIES, RETRY_DELAY_SECONDS, is_transient, should_retry
from tasks.stages import TASKS
from tests.present import present
from tuner.errors import InputError, StageError, UnreachableError
from tuner.registry import NAMES
from tuner.training.process import TrainingKilledError, TrainingTimeoutError


def every_task() -> list[Task[..., Any]]:
    """All tasks in all modules of the package `tasks`."""
    modules = [import_module(f"tasks.{module.name}") for module in pkgutil.iter_modules(tasks.__path__)]
    every = {id(each): each for module in modules for each in vars(module).values() if isinstance(each, Task)}
    every |= {id(each): each for each in TASKS.values()}
    return sorted(every.values(), key=lambda each: each.name)


def makes_an_artifact(each: Task[..., Any]) -> bool:
    """Whether a task makes an artifact: it then has its fingerprint as a parameter."""
    return "fingerprint" in inspect.signature(each.fn).parameters


EVERY = every_task()
MAKING = [each for each in EVERY if makes_an_artifact(each)]
OTHERS = [each for each in EVERY if not makes_an_artifact(each)]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (OSError("connection reset"), True),
        (MemoryError(), True),
        (TrainingKilledError("killed"), True),
        (UnreachableError("503"), True),
        (TrainingTimeoutError("too long"), False),
        (StageError("too few rows"), False),
        (InputError("no such model"), False),
        (ValueError("a bug"), False),
    ],
)
def test_only_transient_errors_are_retried(error: Exception, again: bool) -> None:
    assert is_transient(error) is again


def test_a_retry_logs_its_cause_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    error = UnreachableError("the store does not answer:\n503 slow down")
    run = TaskRun(task_key="generate", dynamic_key="1", name="generate shard 1", run_count=1)
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        assert should_retry(TASKS["generate"], run, Failed(data=error))
        assert not should_retry(TASKS["generate"], run, Failed(data=InputError("no such model")))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            f"Retry 1 of {RETRIES} in {RETRY_DELAY_SECONDS:g} s: the store does not answer: 503 slow down",
        )
    ]


def cache_key(each: Task[..., Any], fingerprint: str) -> str | None:
    """The key under which Prefect caches a task's result; None if it is not cached."""

    class Context:
        task = each

    assert isinstance(each.cache_policy, CachePolicy)
    context = cast(TaskRunContext, Context())
    return each.cache_policy.compute_key(context, {"fingerprint": fingerprint, "label": "shard 1"}, {})


def named(each: Task[..., Any]) -> str:
    return each.name


def test_every_stage_has_a_task_of_its_name() -> None:
    assert {each.name for each in MAKING} >= set(NAMES)


@pytest.mark.parametrize("each", EVERY, ids=named)
def test_a_task_is_retried_only_after_a_transient_error(each: Task[..., Any]) -> None:
    run = TaskRun(task_key=each.task_key, dynamic_key="1", run_count=1)
    assert each.retries
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        assert present(each.retry_condition_fn)(each, run, Failed(data=UnreachableError("503")))
        assert not present(each.retry_condition_fn)(each, run, Failed(data=InputError("no such model")))


@pytest.mark.parametrize("each", MAKING, ids=named)
def test_a_result_is_cached_by_fingerprint_beyond_its_process(each: Task[..., Any]) -> None:
    assert cache_key(each, "f00") == f"{each.name}/f00"
    assert each.persist_result is True
    assert each.cache_result_in_memory is False


@pytest.mark.parametrize("each", OTHERS, ids=named)
def test_a_task_that_makes_no_artifact_is_never_cached(each: Task[..., Any]) -> None:
    assert cache_key(each, "f00") is None
    assert each.persist_result is False
