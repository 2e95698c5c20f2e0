"""A process draws a recipe's first shard before others, and a worker that stops at it is understood."""

from typing import Any, cast

import pytest

from flows import pipeline, placement, scheduling
from tests.doctor.drawn import CUT, GOOD, drawn, recipe, store
from tuner import planning
from tuner.errors import InputError, StageError
from tuner.recipe import Recipe
from tuner.runs import Run


def groups(*labels: str, of: Recipe | None = None) -> list[scheduling.Group]:
    of = of or recipe()
    steps = planning.stage_steps(of, store(), "generate", labels)
    return placement.local_groups("generate", steps, of.model_dump(mode="json"))


def test_the_others_wait_for_the_first_shard() -> None:
    first, *others = groups()
    assert not first.inputs and len(others) == 3
    assert all(other.inputs == first.outputs for other in others)


def test_they_do_not_where_it_is_in_the_store_or_drawn_elsewhere_or_small() -> None:
    assert not any(group.inputs for group in groups(of=recipe("generation.shard_rows=15")))
    assert not any(group.inputs for group in groups("shard 2", "shard 3"))
    drawn(recipe(), [GOOD] * 18)
    assert not any(group.inputs for group in groups())


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
