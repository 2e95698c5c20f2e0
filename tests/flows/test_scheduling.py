"""A plan is run as a graph: ready groups run within their lanes; after a failure the running groups are completed."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.scheduling import Group, run
from tuner.metrics import Metrics
from tuner.planning import Step
from tuner.stage import Part, Stage

STAGE = Stage("toy", 1, Metrics, lambda parts: [], lambda work: Metrics(), "A toy.")
LANES = {"cpu": 2, "gpu": 1}

Reads = Mapping[str, Sequence[str]]


class Machine:
    """Runs groups in a thread: the running ones end one after another, in random order.

    Args:
        failing: The names of groups that fail.
        seed: The seed of that order.
    """

    def __init__(self, failing: Sequence[str] = (), seed: int = 0) -> None:
        self.failing, self.random = failing, random.Random(seed)
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.ended_before: dict[str, list[str]] = {}
        self.most: Counter[str] = Counter()
        self._computing: dict[str, tuple[str, Future[None]]] = {}
        self._lock, self._over = RLock(), Event()
        self._thread = Thread(target=self._end_all)

    def __enter__(self) -> "Machine":
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def begin(self, name: str, lane: str) -> "Future[None]":
        with self._lock:
            self.begun.append(name)
            self.ended_before[name] = [*self.ended]
            self._computing[name] = lane, Future()
            self.most[lane] = max(self.most[lane], sum(each == lane for each, _ in self._computing.values()))
            return self._computing[name][1]

    def _end_all(self) -> None:
        while not self._over.wait(0.0005):
            with self._lock:
                if not self._computing:
                    continue
                name = self.random.choice(sorted(self._computing))
                _, future = self._computing.pop(name)
                self.ended.append(name)
            if name in self.failing:
                future.set_exception(ValueError(name))
            else:
                future.set_result(None)


def groups(machine: Machine, reads: Reads, gpu: Sequence[str] = ()) -> list[Group]:
    """A group of one step for each name; `reads` names the groups whose outputs it reads."""
    parts: dict[str, Part] = {}
    for name, before in reads.items():
        parts[name] = STAGE.part({"name": name}, {"in": [parts[each] for each in before]}, name)

    def group(name: str) -> Group:
        lane = "gpu" if name in gpu else "cpu"
        return Group((Step(parts[name], None),), lane, lambda: machine.begin(name, lane))

    return [group(name) for name in reads]


def names(done: Sequence[Group]) -> list[str]:
    return [step.spec.label for group in done for step in group.steps]


def graphs() -> Any:
    """Graphs of up to ten groups, each of which reads some of those before it."""
    sizes = st.integers(1, 10)
    return sizes.flatmap(
        lambda size: st.tuples(
            *(
                st.lists(st.sampled_from(range(number)) if number else st.nothing(), unique=True)
                for number in range(size)
            )
        )
    ).map(lambda rows: {f"n{number}": [f"n{each}" for each in row] for number, row in enumerate(rows)})


@given(reads=graphs(), gpu=st.sets(st.sampled_from([f"n{number}" for number in range(10)])), seed=st.integers(0, 99))
def test_each_group_starts_once_after_its_inputs_and_within_its_lane(reads: Reads, gpu: set[str], seed: int) -> None:
    done: list[Group] = []
    with Machine(seed=seed) as machine:
        run(groups(machine, reads, sorted(gpu)), LANES, done.append)
    assert sorted(machine.begun) == sorted(reads) == sorted(names(done))
    for name, before in reads.items():
        assert set(before) <= set(machine.ended_before[name])
    assert all(machine.most[lane] <= most for lane, most in LANES.items())


@given(reads=graphs(), seed=st.integers(0, 99), number=st.integers(0, 9))
def test_after_a_failure_nothing_starts_and_running_groups_are_kept(reads: Reads, seed: int, number: int) -> None:
    failing = sorted(reads)[number % len(reads)]
    done: list[Group] = []
    with Machine([failing], seed) as machine:
        with pytest.raises(ValueError, match=failing):
            run(groups(machine, reads), LANES, done.append)
        begun = [*machine.begun]
    assert sorted(begun) == sorted(machine.ended) == sorted([*names(done), failing])
    assert not [name for name, before in reads.items() if failing in before and name in begun]


def test_a_busy_gpu_does_not_keep_the_cpu_waiting() -> None:
    """Shards are drawn one after another on the GPU; each is examined on the CPU as soon as it is complete."""
    reads = {"draw 1": [], "draw 2": [], "draw 3": [], "examine 1": ["draw 1"], "examine 2": ["draw 2"]}
    with Machine() as machine:
        run(groups(machine, reads, ["draw 1", "draw 2", "draw 3"]), LANES, lambda group: None)
    assert machine.begun.index("examine 1") < machine.begun.index("draw 3")


def test_a_group_waits_for_the_inputs_of_all_its_steps() -> None:
    with Machine() as machine:
        first, second, third = groups(machine, {"a": [], "b": [], "c": ["a", "b"]})
        both = Group((*second.steps, *third.steps), "cpu", lambda: machine.begin("b and c", "cpu"))
        run([both, first], LANES, lambda group: None)
    assert machine.begun == ["a", "b and c"]
    assert machine.ended_before["b and c"] == ["a"]


def test_an_input_that_no_group_makes_is_not_waited_for() -> None:
    with Machine() as machine:
        _, second = groups(machine, {"a": [], "b": ["a"]})
        run([second], LANES, lambda group: None)
    assert machine.begun == ["b"]
