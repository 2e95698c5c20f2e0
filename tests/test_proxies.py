"""Loopback is asked directly, and a proxy that httpx does not know keeps nobody from asking."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from cli import commands, launch
from tuner import proxies

DEAD = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("no_proxy", "NO_PROXY"):  # has both undone that the code sets
        monkeypatch.setenv(name, "")
    # urllib keeps the proxies that it found when it was first asked.
    monkeypatch.setattr(urllib.request, "_opener", None)


class Healthy(BaseHTTPRequestHandler):
    """As a Prefect server that is well."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/api"
    monkeypatch.setenv("PREFECT_API_URL", url)
    yield url
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("given", ["", "example.com, .internal", "localhost"])
def test_loopback_needs_no_proxy(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy")  # an empty one hides the other
    monkeypatch.setenv("NO_PROXY", given)
    proxies.settle()
    named = os.environ["no_proxy"].split(",")
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"]
    assert {"localhost", "127.0.0.1", "::1"} <= set(named)
    assert {each.strip() for each in given.split(",") if each} <= set(named)
    assert len(named) == len(set(named))


def test_who_needs_no_proxy_for_anything_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    proxies.settle()
    assert os.environ["no_proxy"] == "*"


@pytest.mark.parametrize("name", ["all_proxy", "ALL_PROXY", "https_proxy"])
@pytest.mark.parametrize("proxy", ["socks://me:secret@host:1080", "socks5://host:1", "ftp://host", "http://host:port"])
def test_a_proxy_that_cannot_be_used_is_left_out_and_named(
    name: str, proxy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, proxy)
    proxies.settle()
    assert name not in os.environ
    line = f"tuner: {name.lower()} is not used: it has to be http://HOST:PORT or https://HOST:PORT\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("proxy", [DEAD, "https://me:secret@host", "host:3128", "HTTP://host"])
def test_a_proxy_that_can_be_used_stays(
    proxy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    proxies.settle()
    assert os.environ["HTTPS_PROXY"] == proxy
    assert capsys.readouterr().err == ""


def test_every_command_settles_them_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks://host:1080")
    monkeypatch.setattr(commands, "app", lambda: None)
    monkeypatch.setattr(commands.interpreter, "spare_libraries", lambda: None)
    commands.main()
    assert "all_proxy" not in os.environ
    assert "127.0.0.1" in os.environ["no_proxy"]


def test_a_server_on_loopback_is_asked_directly(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", DEAD)
    proxies.settle()
    assert launch.server() == url


def test_a_client_of_httpx_in_a_child_asks_loopback_directly(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, DEAD)
    monkeypatch.setenv("all_proxy", "socks://host:1080")
    proxies.settle()
    code = "import os, httpx; print(httpx.get(os.environ['PREFECT_API_URL'] + '/health').status_code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("200", "")
