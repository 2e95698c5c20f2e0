"""What is retried, and what a cached task is called."""

import pytest
from prefect import task
from prefect.states import Failed

from tasks.generate import generate
from tasks.policy import OPTIONS, passes_next_time
from tuner.errors import InputError, StageError
from tuner.training.process import TrainingKilledError, TrainingTimeoutError


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (OSError("connection reset"), True),
        (MemoryError(), True),
        (TrainingKilledError("killed"), True),
        (TrainingTimeoutError("too long"), False),
        (StageError("too few rows"), False),
        (InputError("no such model"), False),
        (ValueError("a fault of the program"), False),
    ],
)
def test_only_what_can_pass_next_time_is_tried_again(error: Exception, again: bool) -> None:
    assert passes_next_time(generate, None, Failed(data=error, message=str(error))) is again


def test_the_cache_key_is_the_artifacts_name() -> None:
    class Context:
        task = generate

    policy = OPTIONS["cache_policy"]
    assert policy.compute_key(Context(), {"fingerprint": "f00", "label": "shard 1"}, {}) == "generate/f00"


def test_every_task_has_the_same_options() -> None:
    from tasks.curate import curate
    from tasks.evaluate import evaluate
    from tasks.report import report
    from tasks.split import split
    from tasks.train import train

    for each in (generate, curate, split, train, evaluate, report):
        assert isinstance(each, type(task(lambda: None)))
        assert each.cache_policy == OPTIONS["cache_policy"]
        assert each.persist_result is True
        assert each.cache_result_in_memory is False
        assert each.retries == OPTIONS["retries"]
