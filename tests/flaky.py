"""An S3 that fails: a proxy before a real one that refuses a share of all requests, by dice with a seed."""

import http.client
import http.server
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

BUSY = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>ServiceUnavailable</Code>'
    b"<Message>Please try again.</Message></Error>"
)
WAYS = ("503", "cut before", "cut after", "cut within")
"""A refusal; no answer at all; work done, but the answer lost; half an answer."""


class FlakyServer(http.server.ThreadingHTTPServer):
    """Passes requests on, most of the time.

    Attributes:
        share: The share of requests that fail.
        stubborn: Requests whose method and path match this pattern fail in the first way, so often.
        failed: How many requests failed in which way.
        passed: How many did not.
        asked: Method and path of every request.
    """

    daemon_threads = True

    def __init__(self, target: str, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target)
        self.share = 0.2
        self.stubborn: dict[str, int] = {}
        self.failed: Counter[str] = Counter()
        self.passed = 0
        self.asked: list[str] = []
        self._dice = random.Random(seed)
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fate(self, command: str, path: str) -> str | None:
        """How a request is to fail, or None."""
        with self._lock:
            self.asked.append(f"{command} {path}")
            way = self._dice.choice(WAYS) if self._dice.random() < self.share else None
            for text, left in self.stubborn.items():
                if left and re.search(text, f"{command} {path}"):
                    self.stubborn[text] -= 1
                    way = WAYS[0]
            if way:
                self.failed[way] += 1
            else:
                self.passed += 1
            return way

    def handle_error(self, request: object, client_address: object) -> None:
        """Cut connections are what this is for."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FlakyServer
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        way = self.server.fate(self.command, self.path)
        # Read in any case: what is left in the connection would be taken for the next request.
        body = self._body()
        if way == "503":
            self._answer(503, [("Content-Type", "application/xml")], BUSY)
            return
        if way == "cut before":
            self._cut()
            return
        status, headers, answer = self._forwarded(body)
        if way == "cut after" or (way == "cut within" and not answer):
            self._cut()
        elif way == "cut within":
            self._answer(status, headers, answer, sent=len(answer) // 2)
            self._cut()
        else:
            self._answer(status, headers, answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

    def log_message(self, *args: object) -> None:
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
        target = self.server.target
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
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
    """Runs a proxy before the S3 server at a URL.

    Args:
        target: The server's URL.
        seed: Of the dice.
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
