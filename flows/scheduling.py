"""Runs a plan as a graph: a step starts as soon as its inputs exist.

A lane limits how many groups of steps run at once on one kind of device, so that CPU work does not wait for a busy GPU.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol

from tuner.planning import Step


class Running(Protocol):
    """Work in progress: a future, such as Prefect's."""

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Calls a function, from any thread, once the work has ended."""

    def result(self) -> Any:
        """What the work returned; raises what it raised."""


@dataclass(frozen=True, eq=False)
class Group:
    """Steps that start together.

    Attributes:
        steps: The steps.
        lane: The lane in which they run.
        begin: Starts them.
        after: Fingerprints of artifacts that it waits for although it does not read them.
    """

    steps: tuple[Step, ...]
    lane: str
    begin: Callable[[], Running]
    after: frozenset[str] = frozenset()

    @property
    def outputs(self) -> frozenset[str]:
        """The fingerprints of the artifacts that it makes."""
        return frozenset(step.spec.fingerprint for step in self.steps)

    @property
    def inputs(self) -> frozenset[str]:
        """The fingerprints of the artifacts that it waits for: those that it reads and does not make itself."""
        inputs = {part.fingerprint for step in self.steps for parts in step.spec.reads.values() for part in parts}
        return (self.after | inputs) - self.outputs


def run(groups: Iterable[Group], lanes: Mapping[str, int], done: Callable[[Group], None]) -> None:
    """Runs groups in the order of their dependencies.

    Args:
        groups: The groups of all steps of a plan. An input that none of them makes must exist in the store.
        lanes: How many groups of each lane run at once.
        done: Called in this thread for each group that succeeded.

    Raises:
        Exception: The error of the first group that failed. No further group is started then, and the running ones
            are waited for, so that their artifacts are kept.
    """
    groups = list(groups)
    makers = {fingerprint: group for group in groups for fingerprint in group.outputs}
    dependencies = {group: {makers[each] for each in group.inputs if each in makers} for group in groups}
    dependents: dict[Group, list[Group]] = {group: [] for group in groups}
    for group, needed in dependencies.items():
        for dependency in needed:
            dependents[dependency].append(group)
    ready: dict[str, deque[Group]] = {lane: deque() for lane in lanes}
    for group in groups:
        if not dependencies[group]:
            ready[group.lane].append(group)
    ended: SimpleQueue[tuple[Group, Running]] = SimpleQueue()
    running_in: Counter[str] = Counter()
    failure: Exception | None = None
    while True:
        for lane, queue in ready.items():
            while queue and running_in[lane] < lanes[lane] and failure is None:
                group = queue.popleft()
                running_in[lane] += 1
                running = group.begin()
                running.add_done_callback(lambda _, ends=(group, running): ended.put(ends))
        if not running_in.total():
            break
        group, running = ended.get()
        running_in[group.lane] -= 1
        try:
            running.result()
        except Exception as error:  # noqa: BLE001 - raised below, once the running groups have ended
            failure = failure or error
            continue
        done(group)
        for dependent in dependents[group]:
            dependencies[dependent].discard(group)
            if not dependencies[dependent]:
                ready[dependent.lane].append(dependent)
    if failure is not None:
        raise failure
