"""What is retried, and what a cached task is called."""

import pytest
from prefect import task
from prefect.client.schemas.objects import TaskRun
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Failed

from tasks.generate import generate
from tasks.policy import OPTIONS, passes_next_time, tried_again
from tasks.send import send
from tuner.errors import InputError, StageError, UnreachableError
from tuner.training.process import TrainingKilledError, TrainingTimeoutError


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
        (ValueError("a fault of the program"), False),
    ],
)
def test_only_what_can_pass_next_time_is_tried_again(error: Exception, again: bool) -> None:
    assert passes_next_time(error) is again


def test_a_retry_says_its_cause_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    error = UnreachableError("the store does not answer:\n503 slow down")
    run = TaskRun(task_key="generate", dynamic_key="1", name="generate shard 1", run_count=1)
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        assert tried_again(generate, run, Failed(data=error))
        assert not tried_again(generate, run, Failed(data=InputError("no such model")))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "Retry 1 of 2 in 5 s: the store does not answer: 503 slow down")
    ]


def test_the_cache_key_is_the_artifacts_name() -> None:
    class Context:
        task = generate

    policy = OPTIONS["cache_policy"]
    assert policy.compute_key(Context(), {"fingerprint": "f00", "label": "shard 1"}, {}) == "generate/f00"


def test_every_task_has_the_same_options() -> None:
    from tasks.compare import compare
    from tasks.curate import curate
    from tasks.evaluate import evaluate
    from tasks.report import report
    from tasks.split import split
    from tasks.train import train

    for each in (generate, curate, split, train, evaluate, report, compare):
        assert isinstance(each, type(task(lambda: None)))
        assert each.cache_policy == OPTIONS["cache_policy"]
        assert each.persist_result is True
        assert each.cache_result_in_memory is False
        assert each.retries == OPTIONS["retries"]
        assert each.retry_condition_fn is send.retry_condition_fn is tried_again
