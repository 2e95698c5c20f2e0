"""Loopback is excluded from proxies, and proxies that httpx does not support are removed."""

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
    for name in ("no_proxy", "NO_PROXY"):  # so that monkeypatch restores both after the test
        monkeypatch.setenv(name, "")
    # urllib keeps the proxies that it found when it was first asked.
    monkeypatch.setattr(urllib.request, "_opener", None)


class Healthy(BaseHTTPRequestHandler):
    """Answers like a healthy Prefect server."""

    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
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


@pytest.mark.parametrize("excluded", ["", "example.com, .internal", "localhost"])
def test_loopback_needs_no_proxy(excluded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy")  # an empty one hides the other
    monkeypatch.setenv("NO_PROXY", excluded)
    proxies.normalize()
    hosts = os.environ["no_proxy"].split(",")
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"]
    assert {"localhost", "127.0.0.1", "::1"} <= set(hosts)
    assert {each.strip() for each in excluded.split(",") if each} <= set(hosts)
    assert len(hosts) == len(set(hosts))


def test_an_exclusion_of_all_hosts_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    proxies.normalize()
    assert os.environ["no_proxy"] == "*"


@pytest.mark.parametrize("name", ["all_proxy", "ALL_PROXY", "https_proxy"])
@pytest.mark.parametrize("proxy", ["socks://me:secret@host:1080", "socks5://host:1", "ftp://host", "http://host:port"])
def test_an_unsupported_proxy_is_removed_and_named(
    name: str, proxy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, proxy)
    proxies.normalize()
    assert name not in os.environ
    line = f"tuner: {name.lower()} is ignored: it must be http://HOST:PORT or https://HOST:PORT\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("proxy", [DEAD, "https://me:secret@host", "host:3128", "HTTP://host"])
def test_a_supported_proxy_stays(
    proxy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    proxies.normalize()
    assert os.environ["HTTPS_PROXY"] == proxy
    assert capsys.readouterr().err == ""


def test_every_command_normalizes_proxies_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks://host:1080")
    monkeypatch.setattr(commands, "app", lambda: None)
    monkeypatch.setattr(commands.interpreter, "relax_garbage_collection", lambda: None)
    commands.main()
    assert "all_proxy" not in os.environ
    assert "127.0.0.1" in os.environ["no_proxy"]


def test_a_server_on_loopback_is_reached_directly(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", DEAD)
    proxies.normalize()
    assert launch.server() == url


def test_httpx_in_a_child_process_reaches_loopback_directly(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, DEAD)
    monkeypatch.setenv("all_proxy", "socks://host:1080")
    proxies.normalize()
    code = "import os, httpx; print(httpx.get(os.environ['PREFECT_API_URL'] + '/health').status_code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("200", "")
