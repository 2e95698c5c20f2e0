"""One engine for several threads: slots that the last rows of a shard leave free take rows of the next."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import NamedTuple

from tuner.generation.engines import Completion, Engine, Facts, Request

Found = tuple[Request, Completion]


class Work(NamedTuple):
    """What an engine has done: seconds of computing, and the tokens of what is finished."""

    seconds: float
    tokens: int


class Pool:
    """An `Engine` that threads share, each with requests of its own.

    One of the threads that wait drives the engine, for all of them, until a request of its own is finished. Where its
    neighbours can change a row, threads take turns instead.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = nullcontext() if engine.facts().mixes else threading.Lock()
        self._changed = threading.Condition()
        self._driven = False
        self._owners: dict[int, tuple[Request, deque[Found]]] = {}
        self._first: list[Request] = []
        self._last: list[Request] = []
        self._queue: deque[Request] = deque()
        self._running: Iterator[Found] | None = None
        self._tell: Callable[[int], None] = lambda tokens: None
        self.done = Work(0.0, 0)

    def complete(self, requests: deque[Request], on_tokens: Callable[[int], None]) -> Iterator[Found]:
        """See `Engine.complete`. Requests that the caller adds meanwhile come before those of other threads.

        `on_tokens` is called with the tokens of a request when it is finished; and with 0 from time to time, which may
        raise, in the thread that drives the engine.
        """
        with self._turn:
            finished: deque[Found] = deque()
            open_ = self._take(requests, finished, self._last)
            try:
                while open_:
                    request, completion = self._next(finished, on_tokens)
                    on_tokens(completion.tokens)
                    yield request, completion
                    open_ += self._take(requests, finished, self._first) - 1
            finally:
                with self._changed:
                    self._forget(finished)
                    self._end()

    def facts(self) -> Facts:
        """See `Engine.facts`."""
        return self._engine.facts()

    def close(self) -> None:
        """See `Engine.close`."""
        self._running = None
        self._engine.close()

    def _take(self, requests: deque[Request], finished: deque[Found], into: list[Request]) -> int:
        with self._changed:
            self._owners |= {id(request): (request, finished) for request in requests}
            into.extend(requests)
            taken = len(requests)
            requests.clear()
            return taken

    def _next(self, finished: deque[Found], on_tokens: Callable[[int], None]) -> Found:
        """Waits for a request of the caller to be finished, and drives the engine if no other thread does."""
        with self._changed:
            while self._driven and not finished:
                self._changed.wait()
            if finished:
                return finished.popleft()
            self._driven, self._tell = True, on_tokens
        try:
            while not finished:
                self._advance()
        except BaseException:
            # Rows of other threads are drawn again: they follow from their requests.
            with self._changed:
                self._forget(finished)
                self._running = None
                self._queue = deque(request for request, _ in self._owners.values())
                self._first.clear()
                self._last.clear()
            raise
        finally:
            with self._changed:
                self._driven = False
                self._changed.notify_all()
        return finished.popleft()

    def _advance(self) -> None:
        """Runs the engine until it has finished a request, and hands that to its owner."""
        with self._changed:
            self._queue.extendleft(reversed(self._first))
            self._queue.extend(self._last)
            self._first.clear()
            self._last.clear()
        self._running = self._running or self._engine.complete(self._queue, lambda tokens: self._tell(0))
        clock = time.perf_counter()
        found = next(self._running, None)
        tokens = found[1].tokens if found else 0
        self.done = Work(self.done.seconds + time.perf_counter() - clock, self.done.tokens + tokens)
        if found is None:
            self._running = None
            return
        with self._changed:
            _, finished = self._owners.pop(id(found[0]), (None, None))
            if finished is not None:
                finished.append(found)
                self._changed.notify_all()

    def _end(self) -> None:
        """Lets the engine end its call if nothing is left, as by closing a journal."""
        if self._running and not (self._driven or self._owners or self._queue or self._first or self._last):
            running, self._running = self._running, None
            next(running, None)

    def _forget(self, finished: deque[Found]) -> None:
        """Drops the requests of a caller that is gone."""
        mine = {key for key, (_, owner) in self._owners.items() if owner is finished}
        for key in mine:
            del self._owners[key]
        for waiting in (self._first, self._last):
            waiting[:] = [request for request in waiting if id(request) not in mine]
