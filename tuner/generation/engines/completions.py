"""The engine on servers with `POST /v1/completions`: vLLM, SGLang, llama.cpp, TGI, Ollama.

Raw prompts are sent, as many at once as raise the throughput. Requests that fail are sent again; finished ones are
written to a journal. The servers' random numbers are their own: a seed is sent with every request, but the batch that a
server computes it in may change the completion.
"""

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from tuner.errors import StageError
from tuner.generation.engines import SEEDED, UNSEEDED, Completion, Facts, Request, endpoint, journal
from tuner.generation.engines.client import (
    SEEDED_ATTEMPTS,
    BrokenError,
    BusyError,
    Client,
    CutError,
    FailedError,
    GoneError,
    LateError,
)
from tuner.generation.engines.journal import Entry, Journal, Writer
from tuner.generation.engines.limit import Limit
from tuner.generation.engines.replicas import PATIENCE_SECONDS, Replica, Replicas
from tuner.generation.engines.wire import AnswerError, completion
from tuner.models import loading
from tuner.settings import Settings

MOST_PER_REPLICA = 256
"""Requests in flight to one server at most: vLLM computes as many at once by default."""

ATTEMPTS = 10
"""How often a server may fail at one request, before the shard is given up for its task to be retried."""

POLL_SECONDS = 0.05
"""How often it is looked whether a server may be asked again, while all are left out."""

Result = TypeVar("Result")


class EndpointError(StageError):
    """The servers do not complete requests at the moment; a retry may succeed."""

    retryable = True


def open(model: str, settings: Settings) -> "CompletionsEngine":
    """The engine with its servers looked at; raises as `CompletionsEngine`."""
    return CompletionsEngine(model, settings)


@dataclass(frozen=True)
class _Call:
    """A call of `complete`."""

    requests: deque[Request]
    writer: Writer


class CompletionsEngine:
    """Completes prompts by servers. Only the tokenizer of the model is loaded.

    Args:
        model: The model, as written in a recipe.
        settings: Names the servers and the key.

    Raises:
        InputError: If no server answers, or one cannot draw from this model: it completes no raw prompts, serves other
            models, or refuses the key.
    """

    def __init__(self, model: str, settings: Settings) -> None:
        urls = endpoint.urls(settings.endpoint)
        tokenizer: Any = loading.load_tokenizer(model)
        ends = (tokenizer.eos_token, *loading.stops(model, tokenizer))
        self._ends = tuple(dict.fromkeys(end for end in ends if end))
        self._tokenizer = tokenizer
        self._model = model
        self._replicas = Replicas(urls)
        self._limit = Limit(settings.batch_size, MOST_PER_REPLICA * len(urls))
        self._seeds = True
        self._most = self._unseeded = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="completions", daemon=True)
        self._thread.start()
        start = tokenizer.bos_token or ""
        self._client = self._run(self._connect(settings.endpoint_key.get_secret_value(), start))
        try:
            self._run(self._introduce())
        except BaseException:
            self.close()
            raise

    def complete(
        self, requests: deque[Request], on_tokens: Callable[[int], None]
    ) -> Generator[tuple[Request, Completion]]:
        """See `Engine.complete`.

        Raises:
            InputError: If a server refuses a request.
            EndpointError: If the servers fail for longer than the patience, or again and again at one request.
        """
        self._replicas.renew()
        self._most = self._unseeded = 0
        call = _Call(requests, self._journal.open())
        self._loop.call_soon_threadsafe(lambda: self._limit.begin(time.monotonic()))
        done: queue.SimpleQueue[Future[Completion]] = queue.SimpleQueue()
        flying: dict[Future[Completion], Request] = {}
        finished = False
        try:
            while requests or flying:
                while requests and len(flying) < self._limit.allowed:
                    request = requests.popleft()
                    key = journal.key(request)
                    if known := self._journal.find(key):
                        self._unseeded += not known.seeded
                        on_tokens(known.completion.tokens)
                        yield request, known.completion
                        continue
                    future = asyncio.run_coroutine_threadsafe(self._completed(request, key, call), self._loop)
                    flying[future] = request
                    future.add_done_callback(done.put)
                    self._most = max(self._most, len(flying))
                if flying:
                    future = done.get()
                    request, said = flying.pop(future), future.result()
                    on_tokens(said.tokens)
                    yield request, said
            finished = True
        finally:
            for future in flying:
                future.cancel()
            call.writer.close(finished)

    def facts(self) -> Facts:
        """See `Engine.facts`."""
        asked = [replica for replica in self._replicas.all if replica.form]
        return Facts(
            engine="completions",
            device=", ".join(endpoint.host(replica.url) for replica in asked),
            dtype="server's",
            slots=self._most,
            reproducible=UNSEEDED if self._unseeded else SEEDED,
            served_model=", ".join(dict.fromkeys(replica.model for replica in asked)),
        )

    def close(self) -> None:
        """Ends the connections and their thread."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @cached_property
    def _journal(self) -> Journal:
        return Journal(self._model, next(replica.model for replica in self._replicas.all if replica.form))

    def _count(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    async def _connect(self, key: str, start: str) -> Client:
        return Client(self._model, key, start, self._count)

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()

    async def _introduce(self) -> None:
        """Looks at every server, and waits for the first that answers."""
        end = time.monotonic() + endpoint.OPEN_SECONDS
        tries = [asyncio.create_task(self._answering(replica, end)) for replica in self._replicas.all]
        try:
            reasons = await asyncio.gather(*tries)
        finally:
            for each in tries:
                each.cancel()
        if all(reasons):
            raise endpoint.silent(self._replicas.all[0].url, reasons[0])

    async def _answering(self, replica: Replica, end: float) -> str:
        """Looks at a server until it answers; returns why it does not, empty if it does."""
        while True:
            begun = time.monotonic()
            try:
                await self._client.introduce(replica)
            except FailedError as error:
                self._replicas.failed(replica, str(error), begun, time.monotonic())
                if time.monotonic() > end or any(each.form for each in self._replicas.all):
                    return str(error)
                await asyncio.sleep(10 * POLL_SECONDS)
            else:
                self._replicas.succeeded(replica)
                return ""

    async def _completed(self, request: Request, key: str, call: _Call) -> Completion:
        """Sends a request until it is completed, to one server after the other if need be."""
        failures = broken = 0
        while True:
            replica = await self._available()
            replica.in_flight += 1
            begun, seeded = time.monotonic(), False
            try:
                form = replica.form or await self._client.introduce(replica)
                seeded = form.seeds and self._seeds and broken < SEEDED_ATTEMPTS
                answer = await self._client.ask(replica, request, replace(form, seeds=seeded))
                said = completion(answer, request, self._ends, self._count)
            except (FailedError, AnswerError) as error:
                now = time.monotonic()
                busy = isinstance(error, BusyError)
                if busy or isinstance(error, LateError):
                    self._limit.overloaded(now)
                self._replicas.failed(replica, str(error), begun, now, error.pause if busy else None)
                if seeded and isinstance(error, BrokenError):
                    replica.broken = True
                    broken += 1
                if replica.broken and isinstance(error, GoneError):
                    self._seeds = False  # it ended at a seed, and would again
                failures += not isinstance(error, BusyError | CutError)  # these last until the patience ends
                if failures == ATTEMPTS:
                    raise EndpointError(f"{replica.url} failed {ATTEMPTS} times at one request: {error}") from None
                continue
            finally:
                replica.in_flight -= 1
            self._replicas.succeeded(replica)
            self._limit.done(said.tokens, bool(call.requests), time.monotonic())
            if form.seeds and not seeded:
                self._seeds = False
            self._unseeded += not seeded
            call.writer.add(key, Entry(said, seeded))
            return said

    async def _available(self) -> Replica:
        """The server to ask next, waiting until there is one."""
        while (replica := self._replicas.next(now := time.monotonic())) is None:
            if self._replicas.are_lost(now):
                seconds = f"{PATIENCE_SECONDS:.0f} s"
                raise EndpointError(
                    f"no server of TUNER_ENDPOINT completes requests since {seconds}: {self._replicas.reason}"
                )
            await asyncio.sleep(POLL_SECONDS)
        return replica
