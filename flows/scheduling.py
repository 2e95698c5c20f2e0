"""Runs a plan as the graph that it is: a step begins as soon as what it reads is there.

A lane bounds how many groups of steps compute at once on one kind of device, so that work for the CPU does not wait for
a GPU that is busy.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol

from tuner.planning import Step


class Running(Protocol):
    """Work that was begun, as a future of Prefect's is."""

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Has a function called, from any thread, once the work has ended."""

    def result(self) -> Any:
        """What the work returned; raises what it raised."""


@dataclass(frozen=True, eq=False)
class Group:
    """Steps that are begun together.

    Attributes:
        steps: The steps.
        lane: Which lane they take.
        begin: Begins to compute them.
    """

    steps: tuple[Step, ...]
    lane: str
    begin: Callable[[], Running]

    @property
    def made(self) -> frozenset[str]:
        """The fingerprints of what it makes."""
        return frozenset(step.spec.fingerprint for step in self.steps)

    @property
    def reads(self) -> frozenset[str]:
        """The fingerprints of what it reads and does not make itself."""
        read = {part.fingerprint for step in self.steps for parts in step.spec.reads.values() for part in parts}
        return frozenset(read) - self.made


def run(groups: Iterable[Group], lanes: Mapping[str, int], done: Callable[[Group], None]) -> None:
    """Runs groups, each behind those whose steps it reads.

    Args:
        groups: Of all steps of a plan. What a group reads and none of them makes has to be there.
        lanes: How many groups of each lane compute at once.
        done: Called in this thread for each group that has ended well.

    Raises:
        Exception: What the first group that failed raised. No further group is begun then, and those that compute are
            waited for, so that what they make is kept.
    """
    groups = list(groups)
    makers = {fingerprint: group for group in groups for fingerprint in group.made}
    waits_for = {group: {makers[each] for each in group.reads if each in makers} for group in groups}
    followers: dict[Group, list[Group]] = {group: [] for group in groups}
    for group, before in waits_for.items():
        for each in before:
            followers[each].append(group)
    ready: dict[str, deque[Group]] = {lane: deque() for lane in lanes}
    for group in groups:
        if not waits_for[group]:
            ready[group.lane].append(group)
    ended: SimpleQueue[tuple[Group, Running]] = SimpleQueue()
    computing: Counter[str] = Counter()
    failure: Exception | None = None
    while True:
        for lane, waiting in ready.items():
            while waiting and computing[lane] < lanes[lane] and failure is None:
                group = waiting.popleft()
                computing[lane] += 1
                running = group.begin()
                running.add_done_callback(lambda _, ends=(group, running): ended.put(ends))
        if not computing.total():
            break
        group, running = ended.get()
        computing[group.lane] -= 1
        try:
            running.result()
        except Exception as error:  # noqa: BLE001 - raised below, when what computes has ended
            failure = failure or error
            continue
        done(group)
        for follower in followers[group]:
            waits_for[follower].discard(group)
            if not waits_for[follower]:
                ready[follower.lane].append(follower)
    if failure is not None:
        raise failure
