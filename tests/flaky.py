"""A proxy in front of an S3 server that makes a share of all requests fail, by a seeded random generator."""

import http.client
import http.server
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.present import present

BUSY = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>ServiceUnavailable</Code>'
    b"<Message>Please try again.</Message></Error>"
)
FAILURES = ("503", "cut before", "cut after", "cut within")
"""A refusal; no answer; the request carried out, but the answer lost; half an answer."""


class FlakyServer(http.server.ThreadingHTTPServer):
    """Forwards most requests, and makes the others fail.

    Attributes:
        failure_rate: The share of requests that fail.
        forced: How many more requests to refuse, by a pattern of method and path.
        failed: Number of failed requests, by the kind of failure.
        passed: Number of requests that did not fail.
        requests: Method and path of every request.
    """

    daemon_threads = True

    def __init__(self, target: str, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target)
        self.failure_rate = 0.2
        self.forced: dict[str, int] = {}
        self.failed: Counter[str] = Counter()
        self.passed = 0
        self.requests: list[str] = []
        self._dice = random.Random(seed)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def failure(self, command: str, path: str) -> str | None:
        """The kind of failure of a request, or None."""
        with self._lock:
            self.requests.append(f"{command} {path}")
            failure = self._dice.choice(FAILURES) if self._dice.random() < self.failure_rate else None
            for pattern, left in self.forced.items():
                if left and re.search(pattern, f"{command} {path}"):
                    self.forced[pattern] -= 1
                    failure = FAILURES[0]
            if failure:
                self.failed[failure] += 1
            else:
                self.passed += 1
            return failure

    def handle_error(self, request: object, client_address: object) -> None:
        """Prints nothing: connections are cut on purpose."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def flaky(self) -> FlakyServer:
        assert isinstance(self.server, FlakyServer)
        return self.server

    def handle_any(self) -> None:
        failure = self.flaky.failure(self.command, self.path)
        # Always read: what is left in the connection would be parsed as the next request.
        body = self._body()
        if failure == "503":
            self._answer(503, [("Content-Type", "application/xml")], BUSY)
            return
        if failure == "cut before":
            self._cut()
            return
        status, headers, answer = self._forwarded(body)
        if failure == "cut after" or (failure == "cut within" and not answer):
            self._cut()
        elif failure == "cut within":
            self._answer(status, headers, answer, sent=len(answer) // 2)
            self._cut()
        else:
            self._answer(status, headers, answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        return

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _forwarded(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        target = self.flaky.target
        connection = http.client.HTTPConnection(present(target.hostname), target.port, timeout=60)
        drop = ("transfer-encoding", "content-length", "connection")
        headers = {key: value for key, value in self.headers.items() if key.lower() not in drop}
        connection.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        return response.status, [(k, v) for k, v in response.getheaders() if k.lower() not in drop[::2]], answer

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, sent: int | None = None) -> None:
        self.send_response(status)
        for key, value in headers:
            if key.lower() not in ("server", "date"):
                self.send_header(key, value)
        if not any(key.lower() == "content-length" for key, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:sent])
            self.wfile.flush()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(2)


@contextmanager
def flaky(target: str, seed: int) -> Iterator[FlakyServer]:
    """Runs a proxy in front of the S3 server at a URL.

    Args:
        target: The server's URL.
        seed: Seed of the random failures.
    """
    server = FlakyServer(target, seed)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
