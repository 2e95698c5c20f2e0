"""A server with `/v1/models` and `/v1/completions` on loopback, deterministic and with faults."""

import hashlib
import http.server
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from tuner.generation.engines import Request
from tuner.generation.sources import Sampling

WORDS = ("river", "stone", "garden", "winter", "summer", "bread", "water", "light", "house", "road", "music", "letter")
EXTRAS = {"add_special_tokens", "skip_special_tokens", "spaces_between_special_tokens", "top_k", "repetition_penalty"}

SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=24)

Fault = tuple[int, dict[str, str]] | str | None
"""A status with headers, `drop` to cut the connection, `half` to cut it within an answer, `late` for none in time, or
nothing."""

LATE_SECONDS = 1.5


def text_of(prompt: str, seed: int | None) -> str:
    """What the server says, a function of prompt and seed."""
    digest = hashlib.sha256(f"{prompt}/{seed}".encode()).digest()
    return " ".join(WORDS[each % len(WORDS)] for each in digest[:10])


class Served:
    """A server in a thread of this process.

    Args:
        models: What it lists.
        port: Its port; 0 for any.

    Attributes:
        asked: The bodies of completed requests, those that look at the server left out.
        refused: Keys that it answers with status 400.
        refusal: With which words.
        broken: Called with each body; whether it fails with status 500.
        fault: Called for every request; what happens instead of an answer.
        seconds: How long an answer takes.
        most: The most requests that were in flight.
        says: The text of an answer; by default `text_of`.
        finish: Its `finish_reason`.
        usage: Whether it counts tokens.
        key: The bearer that it wants.
        completes: Whether it has `/v1/completions`.
        counts: The tokens that it counts in a prompt.
        bearers: The headers `Authorization` that it was sent.
    """

    def __init__(self, models: Sequence[str] = ("tiny",), port: int = 0) -> None:
        self.models = list(models)
        self.asked: list[dict[str, Any]] = []
        self.refused: set[str] = set()
        self.refusal = "unknown keys"
        self.broken: Callable[[dict[str, Any]], bool] = lambda body: False
        self.fault: Callable[[], Fault] = lambda: None
        self.seconds = 0.0
        self.most = self._flying = 0
        self.says: Callable[[dict[str, Any]], str] = lambda body: text_of(body["prompt"], body.get("seed"))
        self.finish = "stop"
        self.usage = self.completes = True
        self.counts: Callable[[str], int] = len
        self.key = ""
        self.bearers: list[str | None] = []
        self.lock = threading.Lock()
        self._begin(port)

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def prompts(self) -> Counter[str]:
        """How often each prompt was completed."""
        with self.lock:
            return Counter(body["prompt"] for body in self.asked)

    def _begin(self, port: int) -> None:
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else an answer's body waits 40 ms for the receipt of its head

            def do_GET(self) -> None:
                served._models(self)

            def do_POST(self) -> None:
                served._complete(self)

            def log_message(self, format: str, *args: object) -> None:
                return

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512
            connections: set[socket.socket]

            def process_request(self, request: Any, client_address: Any) -> None:
                served._connections.add(request)
                super().process_request(request, client_address)

            def handle_error(self, request: Any, client_address: Any) -> None:
                return  # clients that go away are part of the tests

        self._connections: set[socket.socket] = set()
        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def die(self) -> None:
        """Ends the server and cuts all connections, as a kill would."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for each in self._connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def live(self) -> None:
        """Starts it again on its port."""
        self._begin(self.port)

    def _answer(self, handler: http.server.BaseHTTPRequestHandler, status: int, said: Any, **headers: str) -> None:
        body = json.dumps(said).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    def _allowed(self, handler: http.server.BaseHTTPRequestHandler) -> bool:
        bearer = handler.headers.get("Authorization")
        with self.lock:
            self.bearers.append(bearer)
        if self.key and bearer != f"Bearer {self.key}":
            self._answer(handler, 401, {"error": {"message": f"wrong key\n{bearer}"}})
            return False
        return True

    def _models(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        if self._allowed(handler):
            self._answer(handler, 200, {"object": "list", "data": [{"id": name} for name in self.models]})

    def _complete(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        if handler.path == "/v1/chat/completions":
            self._answer(handler, 400, {"error": {"message": "no messages"}})
            return
        if not self.completes:
            self._answer(handler, 404, {"detail": "Not Found"})
            return
        if not self._allowed(handler):
            return
        with self.lock:
            self._flying += 1
            self.most = max(self.most, self._flying)
        try:
            self._completed(handler, body)
        finally:
            with self.lock:
                self._flying -= 1

    def _completed(self, handler: http.server.BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        probe = body["max_tokens"] == 1
        if unknown := self.refused.intersection(body):
            self._answer(handler, 400, {"error": {"message": f"{self.refusal}\n{sorted(unknown)}"}})
            return
        if self.broken(body):
            self._answer(handler, 500, {"error": {"message": "generator"}})
            return
        time.sleep(self.seconds)
        fault = None if probe else self.fault()
        if fault == "drop":
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        if fault == "half":
            handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"choices": [{"text": "half of')
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        if fault == "late":
            time.sleep(LATE_SECONDS)
        if isinstance(fault, tuple):
            self._answer(handler, fault[0], {"error": {"message": "fault"}}, **fault[1])
            return
        said = self.says(body)
        choice = {"index": 0, "text": said, "finish_reason": self.finish}
        count = {"completion_tokens": len(said.split()) + 1, "prompt_tokens": self.counts(body["prompt"])}
        if not probe:
            with self.lock:
                self.asked.append(body)
        self._answer(handler, 200, {"choices": [choice], "usage": count if self.usage else None})


def requests(count: int) -> list[Request]:
    """Requests of rows with prompts and seeds of their own."""
    return [Request(row, 0, 1000 + row, f"<|im_start|>row {row}", SAMPLING, "<|im_end|>") for row in range(count)]


def faults(share: float, kinds: Sequence[Fault], seed: int = 0) -> Callable[[], Fault]:
    """Faults at random, from one stream for all threads."""
    numbers, lock = random.Random(seed), threading.Lock()

    def fault() -> Fault:
        with lock:
            return numbers.choice(kinds) if numbers.random() < share else None

    return fault
