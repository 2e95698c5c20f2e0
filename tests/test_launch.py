"""`tuner run` against a server with a password: recognized, refused in one line, and told of an interruption."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from tuner import launch
from tuner.errors import InputError

AUTH = "admin:open-sesame"


class Guarded(BaseHTTPRequestHandler):
    """Answers as a Prefect server with a password does: its health to everyone, the rest to who knows it."""

    received: ClassVar[list[tuple[str, dict]]] = []

    def answer(self) -> None:
        known = self.headers.get("Authorization") == f"Basic {base64.b64encode(AUTH.encode()).decode()}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if known and body:
            self.received.append((self.path, json.loads(body)))
        self.send_response(200 if known or self.path == "/api/health" else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    Thread(target=server.serve_forever, daemon=True).start()
    Guarded.received = []
    url = f"http://127.0.0.1:{server.server_port}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    yield url
    server.shutdown()
    server.server_close()


def test_the_right_password_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", AUTH)
    assert launch.server() == url


@pytest.mark.parametrize("given", ["", "admin:wrong"])
def test_a_wrong_or_missing_password_is_named(url: str, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", given)
    with pytest.raises(InputError, match="PREFECT_API_AUTH_STRING: ") as error:
        launch.server()
    assert "wrong" not in str(error.value)


def test_an_interruption_is_told_with_the_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", AUTH)
    launch._cancel("some-flow-run")
    ((path, said),) = Guarded.received
    assert path == "/api/flow_runs/some-flow-run/set_state"
    assert said["state"]["type"] == "CANCELLED"
