"""GPU slots: a global concurrency limit that a task takes while it computes.

It is taken inside the task's body, since a limit by tags is lease also while a task run waits for a retry. The lease
expires by itself if the process that holds it is killed. Taking a slot waits for a server that is being restarted;
Prefect's client gives up at once if its first request fails.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from contextvars import copy_context

import httpx
from prefect import get_run_logger
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency

from tuner.generation.engines import ON_SERVERS
from tuner.generation.stage import GENERATE
from tuner.registry import STAGES
from tuner.settings import settings
from tuner.training import devices

LIMIT = "gpu"
"""The limit's name. If the server has no such limit, tasks do not wait."""

ON_GPU = {stage.name for stage in STAGES.values() if stage.gpu} | {"compare"}
"""The stages that use a GPU if there is one; see `uses_gpu`."""

LEASE_SECONDS = 60.0
"""The minimum that the server allows; the lease is renewed while its process lives."""

TURN_SECONDS = 600.0
"""How long tasks that begin may share a slot that others of their process hold already."""

PATIENCE_SECONDS = 240.0
"""How long to wait for a server that does not answer; `deployments.environment` sets the same for other requests."""


def uses_gpu(stage: str) -> bool:
    """Whether a stage uses a GPU of this machine or its workers, if there is one: not where servers draw the rows."""
    return stage in ON_GPU and not (stage == GENERATE.name and settings().engine in ON_SERVERS)


@contextmanager
def slot(stage: str) -> Iterator[None]:
    """Waits until no other stage of this process computes with a model; holds a slot if others may use the GPU too."""
    placement = settings().placement
    needed = bool(devices.visible()) if placement == "local" else placement == "pools"  # Ray schedules its GPUs itself
    if not uses_gpu(stage):
        yield
        return
    with _TURNS.held(stage):
        if not needed:
            yield
        elif stage in _SHARED:
            with _SHARED[stage].held():
                yield
        else:
            with _held():
                yield


class _Turns:
    """Lets the tasks of one stage at a time compute with models in this process.

    While a model is loaded, torch's default type is that model's, in all threads; and two stages would have two models
    in memory.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._stage = ""
        self._tasks = 0

    @contextmanager
    def held(self, stage: str) -> Iterator[None]:
        """Waits until no other stage computes, for the duration of a block."""
        with self._changed:
            self._changed.wait_for(lambda: self._stage == stage or not self._tasks)
            self._stage = stage
            self._tasks += 1
        try:
            yield
        finally:
            with self._changed:
                self._tasks -= 1
                self._changed.notify_all()


_TURNS = _Turns()


class _Shared:
    """One slot for the tasks of a stage that one process runs at once; others get their turn when it grows old."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tasks = 0
        self._taken = 0.0
        self._holder: _Holder | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._changed:
            while self._tasks and time.monotonic() - self._taken > TURN_SECONDS:
                self._changed.wait()
            if self._holder is None:
                self._holder = _Holder()
                self._taken = time.monotonic()
            self._tasks += 1
        try:
            yield
        finally:
            with self._changed:
                self._tasks -= 1
                if not self._tasks:
                    self._holder, holder = None, self._holder
                    holder.release()
                    self._changed.notify_all()


class _Holder:
    """Holds a slot in a thread of its own, since a lease has to be given back by the thread that took it."""

    def __init__(self) -> None:
        self._taken: Future[None] = Future()
        self._released = threading.Event()
        context = copy_context()  # Prefect logs to the task's run
        self._thread = threading.Thread(target=context.run, args=(self._hold,), daemon=True)
        self._thread.start()
        self._taken.result()

    def release(self) -> None:
        """Gives the slot back."""
        self._released.set()
        self._thread.join()

    def _hold(self) -> None:
        try:
            with _held():
                self._taken.set_result(None)
                self._released.wait()
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            if not self._taken.done():
                self._taken.set_exception(error)


_SHARED = {stage.name: _Shared() for stage in STAGES.values() if stage.gpu and stage.at_once > 1}


@contextmanager
def _held() -> Iterator[None]:
    lease = _acquire()
    try:
        yield
    finally:
        try:
            lease.close()
        except httpx.TransportError:
            # The result is complete nevertheless.
            get_run_logger().warning(f"The server does not answer; the GPU slot is released in {LEASE_SECONDS:.0f} s")


def _acquire() -> ExitStack:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        lease = ExitStack()
        try:
            lease.enter_context(concurrency(LIMIT, occupy=1, lease_duration=LEASE_SECONDS))
            return lease
        except ConcurrencySlotAcquisitionError as error:
            if not isinstance(error.__cause__, httpx.TransportError) or time.monotonic() > end:
                raise
            time.sleep(2)
