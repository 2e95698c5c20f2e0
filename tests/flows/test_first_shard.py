"""A worker that stops at a bad first shard comes back as a text; the run ends with the error that it stands for."""

from typing import Any, cast

import pytest

from flows import pipeline, scheduling
from tests.doctor.drawn import CUT, GOOD, drawn, recipe, store
from tuner import planning
from tuner.errors import InputError, StageError
from tuner.runs import Run


@pytest.mark.parametrize(("instruction", "error"), [(CUT, InputError), (GOOD, StageError)])
def test_a_failed_worker_is_explained_by_the_first_shard(
    instruction: tuple[str, str], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise StageError("generate shard 1 to shard 8: the worker's own words")

    monkeypatch.setattr(scheduling, "run", failing)
    drawn(recipe(), [instruction] * 18)
    run = Run.start(store(), recipe(), "small", "report")
    with pytest.raises(error) as raised:
        cast(Any, pipeline)._run(recipe(), planning.plan(recipe(), store()), run)
    assert raised.type is error
