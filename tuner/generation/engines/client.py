"""Requests to the servers of an endpoint, and what their answers mean.

By aiohttp: httpx looks at every connection of its pool for every request, and so takes six times as much of a core.
"""

import asyncio
import email.utils
import json
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import aiohttp

from tuner.errors import InputError
from tuner.generation.engines import Request, endpoint
from tuner.generation.engines.replicas import Replica
from tuner.generation.engines.wire import Form, body, used
from tuner.generation.sources.base import Sampling
from tuner.models import loading, source

CONNECT_SECONDS = 10.0
DEADLINE_SECONDS = 120.0
DEADLINE_SECONDS_PER_TOKEN = 1.0
"""How long a request may take: a server that computes for hundreds at once on a CPU needs a second a token."""

KEPT_SECONDS = 2.0
"""How long an idle connection is kept: servers close theirs after 5 s, and a request sent at that moment is lost."""

SEEDED_ATTEMPTS = 3
"""How often a server may fail at a request with status 500, before it is sent without its seed: builds of vLLM for the
CPU fail at seeds."""

WITHOUT_SAMPLING = "Unexpected fields in the request"
"""With these words `transformers serve` refuses keys. It samples only if the model's own settings say so: of a model
whose settings do not, every row would be the same."""

LONGEST_REASON = 300
"""Characters of a server's message that are shown."""


class FailedError(Exception):
    """A server has not completed a request, which is to be sent again.

    Attributes:
        answered: Whether it has taken the request and answered, with an error.
    """

    answered = True


class CutError(FailedError):
    """The server is not reachable, or the connection was cut."""

    answered = False


class GoneError(CutError):
    """Nothing listens at the server's address."""


class LateError(FailedError):
    """The deadline has passed."""


class BrokenError(FailedError):
    """The server failed at the request: status 500."""


class BusyError(FailedError):
    """The server is overloaded, or still loads its model.

    Attributes:
        pause: The seconds that it asks to wait; None if it does not say.
    """

    def __init__(self, reason: str, pause: float | None) -> None:
        super().__init__(reason)
        self.pause = pause


class Client:
    """Asks servers. All methods belong to one event loop.

    Args:
        model: The generator, as written in the recipe.
        key: What is sent as bearer; empty for nothing.
        start: The tokenizer's start token; empty for none.
        count: Counts the tokens of a text with its special tokens.
    """

    def __init__(self, model: str, key: str, start: str, count: Callable[[str], int]) -> None:
        self._model, self._key, self._start, self._count = model, key, start, count
        self._http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=bool(urllib.request.getproxies()),  # else every request would look for proxies in a thread
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self._http.close()

    async def introduce(self, replica: Replica) -> Form:
        """Finds out the model's name on a server and how it takes requests, with a completion of one token.

        Raises:
            InputError: If it serves another model, completes no raw prompts, or refuses the key.
            FailedError: If it does not answer now.
        """
        replica.model = await self._served(replica.url)
        probe = Request(0, 0, 0, f"{self._start}Hello", Sampling(max_tokens=1))
        form, status, answer = await self._tried(replica, probe)
        if status in (404, 405):
            raise InputError(await self._without_completions(replica.url, status))
        self._accept(replica.url, status, answer)
        begun, own = used(answer, "prompt_tokens"), self._count(probe.prompt)
        replica.form = replace(form, starts=bool(self._start) and begun == own + 1)
        return replica.form

    async def ask(self, replica: Replica, request: Request, form: Form) -> Any:
        """The answer to a request, as JSON.

        Args:
            replica: The server.
            request: The request.
            form: How the server takes it.

        Raises:
            InputError: If the server refuses it.
            FailedError: If it is to be sent again.
        """
        status, answer = await self._post(replica, request, form)
        self._accept(replica.url, status, answer)
        return answer

    async def _served(self, url: str) -> str:
        status, answer = await self._send("GET", f"{url}/v1/models", CONNECT_SECONDS)
        if status == 404:  # a server of one model may lack the list
            return source.parse(self._model).title
        self._accept(url, status, answer)
        try:
            listed = [{"id": str(each["id"]), "root": str(each.get("root") or "")} for each in answer["data"]]
        except (KeyError, TypeError, AttributeError):
            raise InputError(f"TUNER_ENDPOINT: {url}/v1/models lists no models; is it an inference server?") from None
        if not listed:  # `transformers serve` lists what the hub's cache holds, not what it was started with
            return str(loading.resolve(self._model, weights=False)[0])
        return endpoint.served(listed, self._model, url)

    async def _tried(self, replica: Replica, probe: Request) -> tuple[Form, int, Any]:
        """The first form of a request that a server does not refuse or fail at, and its answer; or the last."""
        *forms, last = (Form(extras, seeds) for seeds in (True, False) for extras in (True, False))
        for form in forms:
            for _ in range(SEEDED_ATTEMPTS):
                with suppress(BrokenError):
                    status, answer = await self._post(replica, probe, form)
                    if status not in (400, 422):
                        return form, status, answer
                    if WITHOUT_SAMPLING in str(answer):
                        raise InputError(
                            f"TUNER_ENDPOINT: {replica.url} is `transformers serve`, which samples by no request's "
                            "settings; serve the model with vLLM, SGLang or llama.cpp, or set TUNER_ENGINE=transformers"
                        )
                    break
        return last, *await self._post(replica, probe, last)

    async def _without_completions(self, url: str, status: int) -> str:
        chat, _ = await self._send("POST", f"{url}/v1/chat/completions", CONNECT_SECONDS, {})
        reason = f"TUNER_ENDPOINT: {url} has no /v1/completions (status {status})"
        if chat in (404, 405):
            return f"{reason}; give the base URL of a server such as vLLM's"
        return (
            f"{reason}, only chat completions: these apply the server's own template, but instructions are drawn from "
            "raw prompts"
        )

    async def _post(self, replica: Replica, request: Request, form: Form) -> tuple[int, Any]:
        deadline = DEADLINE_SECONDS + DEADLINE_SECONDS_PER_TOKEN * request.sampling.max_tokens
        sent = body(request, replica.model, form, self._start)
        return await self._send("POST", f"{replica.url}/v1/completions", deadline, sent)

    async def _send(self, method: str, url: str, deadline: float, sent: Any = None) -> tuple[int, Any]:
        """The status and the JSON of an answer, or its text if that is none."""
        try:
            async with (
                asyncio.timeout(deadline),
                self._http.request(method, url, json=sent, allow_redirects=False) as response,
            ):
                content = await response.read()
        except aiohttp.ClientError as error:  # before the next: a connection that takes too long is both
            kind = GoneError if isinstance(error, aiohttp.ClientConnectorError) else CutError
            raise kind(_line(str(error)) or type(error).__name__) from None
        except TimeoutError:
            raise LateError(f"no answer within {deadline:.0f} s") from None
        try:
            answer = json.loads(content)
        except ValueError:
            answer = content.decode(errors="replace")
        if response.status in (408, 429, 503):
            raise BusyError(self._said(response.status, answer), _retry_after(response))
        if response.status >= 500:
            kind = BrokenError if response.status == 500 else FailedError
            raise kind(self._said(response.status, answer))
        return response.status, answer

    def _accept(self, url: str, status: int, answer: Any) -> None:
        if status in (401, 403):
            wrong = "refuses the key" if self._key else "wants a key"
            raise InputError(f"TUNER_ENDPOINT_KEY: {url} {wrong}: {self._said(status, answer)}")
        if status != 200:
            raise InputError(f"TUNER_ENDPOINT: {url} refuses a request: {self._said(status, answer)}")

    def _said(self, status: int, answer: Any) -> str:
        """A server's message in one line, without the key, which some repeat."""
        error = answer.get("error", answer.get("detail", answer)) if isinstance(answer, dict) else answer
        message = error.get("message", error) if isinstance(error, dict) else error
        line = _line(str(message))
        if self._key:
            line = line.replace(self._key, "***")
        return f"status {status}, {line}" if line else f"status {status}"


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """The seconds of `Retry-After`, which may be a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
