"""`tuner run` and the Prefect server: passwords, a busy or missing server, cancelling a flow run."""

import base64
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from cli import launch
from deployments.environment import SERVER_FILE
from tuner.errors import InputError
from tuner.settings import settings

AUTH = "admin:open-sesame"


class Guarded(BaseHTTPRequestHandler):
    """Answers like a Prefect server with a password: its health endpoint requires none, the rest does."""

    received: ClassVar[list[tuple[str, dict]]] = []
    state: ClassVar[str] = "RUNNING"

    def answer(self) -> None:
        authorized = self.headers.get("Authorization") == f"Basic {base64.b64encode(AUTH.encode()).decode()}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if authorized and body:
            self.received.append((self.path, json.loads(body)))
        self.send_response(200 if authorized or self.path == "/api/health" else 401)
        content = json.dumps({"state_type": self.state}).encode() if authorized else b""
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
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


def test_the_right_password_is_accepted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", AUTH)
    assert launch.server() == url


@pytest.mark.parametrize("password", ["", "admin:wrong"])
def test_a_wrong_or_missing_password_is_named(url: str, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", password)
    with pytest.raises(InputError, match="PREFECT_API_AUTH_STRING: ") as error:
        launch.server()
    assert "wrong" not in str(error.value)


def test_a_flow_run_is_cancelled_with_the_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", AUTH)
    launch._cancel("some-flow-run")
    ((path, body),) = Guarded.received
    assert path == "/api/flow_runs/some-flow-run/set_state"
    assert body["state"]["type"] == "CANCELLED"


def test_a_flow_run_that_has_ended_keeps_its_state(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", AUTH)
    monkeypatch.setattr(Guarded, "state", "COMPLETED")
    launch._cancel("some-flow-run")
    assert Guarded.received == []


class Busy(BaseHTTPRequestHandler):
    """A busy server: it fails its first requests in the ways that the test sets."""

    ways: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        way = self.ways.pop(0) if self.ways else ""
        if way == "late":
            time.sleep(0.5)
        if way == "cut":
            self.close_connection = True
            return
        self.send_response(int(way) if way.isdigit() else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    server.handle_error = lambda request, client_address: None  # the client has gone before a late answer
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    monkeypatch.setattr(launch, "REQUEST_SECONDS", 0.1)
    yield url
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("way", ["503", "502", "late", "cut"])
def test_a_busy_server_is_waited_for(
    busy: str, way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Busy, "ways", [way, way])
    assert launch.server() == busy
    assert capsys.readouterr().err == f"tuner: the Prefect server at {busy} is busy; waiting up to 180 s for it\n"


def test_a_server_that_stays_busy_is_named(busy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Busy, "ways", ["503"] * 1000)
    monkeypatch.setattr(launch, "START_SECONDS", 1.0)
    with pytest.raises(InputError, match=f"{busy}: no Prefect server answers there"):
        launch.server()


def test_the_busy_server_of_tuner_up_is_waited_for(busy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL")
    running = {"url": busy, "reports": "http://127.0.0.1:1", "store": "another"}
    (settings().folder("prefect") / SERVER_FILE).write_text(json.dumps(running))
    monkeypatch.setattr(Busy, "ways", ["late"])
    assert launch.server() == busy


def test_a_missing_server_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setattr(launch.time, "sleep", lambda _: pytest.fail("it waits"))
    with pytest.raises(InputError, match="start it, or unset the variable"):
        launch.server()
