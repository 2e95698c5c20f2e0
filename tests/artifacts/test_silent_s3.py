"""An S3 endpoint that accepts the connection and never answers, or reads nothing, ends in a timeout with one line."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import s3_environment
from tuner.artifacts import s3
from tuner.artifacts.store import Store
from tuner.errors import UnreachableError

LIMITS = {kind: (kind.retries, kind.connect_timeout, kind.read_timeout) for kind in (s3.Brief, s3.Patient)}
"""As shipped; tests shorten them."""
MAX_WAIT = 120.0


SOON = 40.0
"""Seconds, generous for a slow machine: the timeouts take tenths of one. Without ours each attempt takes a minute."""


class Silent:
    """Accepts every connection and neither reads nor answers; or sends `answer`, incomplete, and then nothing."""

    answer = b""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    def _accept(self) -> None:
        try:
            while True:
                self.connections.append(self.socket.accept()[0])
                if self.answer:
                    self.connections[-1].recv(65_536)
                    self.connections[-1].sendall(self.answer)
        except OSError:  # closed
            return


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    server = Silent()
    s3_environment(monkeypatch, f"http://{server.address}")
    monkeypatch.setattr(s3.Bounded, "read_timeout", 0.2)
    monkeypatch.setattr(s3.Bounded, "connect_timeout", 0.2)
    monkeypatch.setattr(s3.Patient, "retries", 3)
    monkeypatch.setattr(s3.Brief, "retries", 2)
    yield server
    server.socket.close()
    for each in server.connections:
        each.close()


@pytest.mark.parametrize("kind", list(LIMITS))
def test_no_request_takes_longer_than_two_minutes(kind: type[s3.Brief | s3.Patient]) -> None:
    retries, connect, read = LIMITS[kind]
    pauses = sum(min(1.7**number * 0.1, 15) for number in range(retries))  # between the attempts of s3fs
    assert retries * max(connect, read) + pauses < MAX_WAIT


def gives_up(use: Callable[[], Any]) -> float:
    """Seconds until `use` fails as unreachable."""
    began = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        use()
    assert str(caught.value).startswith("store s3://bucket/prefix: not reachable (")
    assert "\n" not in str(caught.value)
    return time.monotonic() - began


@pytest.mark.parametrize(("patient", "attempts"), [(True, 3), (False, 2)])
def test_a_silent_endpoint_gets_the_set_number_of_attempts(
    silent: Silent, patient: bool, attempts: int, tmp_path: Path
) -> None:
    store = Store("s3://bucket/prefix", patient)
    uses: list[Callable[[], Any]] = [
        lambda: store.find("train", "0" * 64),
        lambda: store.listing("runs"),
        lambda: store.download("x", tmp_path / "x"),
    ]
    for use in uses:
        before = len(silent.connections)
        assert gives_up(use) < SOON
        assert len(silent.connections) - before == attempts
    assert list(tmp_path.glob("x*")) == []


def test_writes_are_patient_in_a_task_too(silent: Silent, tmp_path: Path) -> None:
    store = Store("s3://bucket/prefix", patient=False)
    (tmp_path / "file").write_bytes(b"x" * 1000)
    uses: list[Callable[[], Any]] = [
        lambda: store.replace("x", b"x"),
        lambda: store.create("x", b"x"),
        lambda: store.upload(tmp_path / "file", "x"),
        lambda: store.remove(["x"]),
    ]
    for use in uses:
        before = len(silent.connections)
        assert gives_up(use) < SOON
        assert len(silent.connections) - before == 3


def test_an_upload_that_the_endpoint_does_not_read_fails(silent: Silent, tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(30_000_000)  # more than any kernel buffers
    assert gives_up(lambda: Store("s3://bucket/prefix").upload(tmp_path / "file", "x")) < SOON


def test_a_silent_endpoint_that_should_speak_tls(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    s3_environment(monkeypatch, f"https://{silent.address}")
    assert gives_up(Store("s3://bucket/prefix").run_names) < SOON


def test_an_endpoint_that_stops_within_its_answer(silent: Silent, tmp_path: Path) -> None:
    silent.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"
    store = Store("s3://bucket/prefix")
    for use in (lambda: store.read("x"), lambda: store.download("x", tmp_path / "x")):
        before = len(silent.connections)
        assert gives_up(use) < SOON
        assert len(silent.connections) - before == 3
