"""An S3 that refuses or cuts off a fifth of all requests: reads and writes are correct, or fail as unreachable."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import s3_environment
from tests.flaky import FAILURES, FlakyServer, flaky
from tuner.artifacts import s3
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.store import MANIFEST, Store
from tuner.errors import InputError, UnreachableError

ATTEMPTS = {kind: kind.retries for kind in (s3.Brief, s3.Patient)}
"""As shipped; the other tests make one attempt."""


@pytest.fixture
def proxy(s3_endpoint: str) -> Iterator[FlakyServer]:
    with flaky(s3_endpoint, seed=503) as server:
        yield server


@pytest.fixture
def url(s3_url: str, proxy: FlakyServer, monkeypatch: pytest.MonkeyPatch) -> str:
    s3_environment(monkeypatch, proxy.url)
    for kind, number in ATTEMPTS.items():
        monkeypatch.setattr(kind, "retries", number)
    return s3_url


def spec(number: int) -> Spec:
    return Spec("curate", 1, {"number": number}, {}, "")


def filled(folder: Path, number: int) -> dict[str, Any]:
    (folder / "rows").mkdir()
    for part in range(3):
        (folder / "rows" / f"{part}.bin").write_bytes(bytes([number]) * 5_000)
    return {"number": number}


def test_reads_and_writes_are_correct(url: str, proxy: FlakyServer) -> None:
    store = Store(url)
    for number in range(8):
        made = store.build(spec(number), lambda folder, number=number: filled(folder, number))
        store.write_run(f"run-{number}", {"number": number})
        assert store.find("curate", spec(number).fingerprint) == made
        assert store.problem(made) is None
        assert [path.read_bytes() for path in store.fetch_all(made, "rows")] == [bytes([number]) * 5_000] * 3
    assert store.run_names() == [f"run-{number}" for number in range(8)]
    assert [store.read_run(f"run-{number}") for number in range(8)] == [{"number": number} for number in range(8)]
    assert {manifest.metrics["number"] for manifest in store.manifests("curate")} == set(range(8))
    assert store.find("curate", "0" * 64) is None
    # No superseded attempts: every write whose response was lost was recognized as our own.
    assert len(store.listing("artifacts")) == 8 * 4
    assert set(proxy.failed) == set(FAILURES)
    assert 0.15 < proxy.failed.total() / (proxy.failed.total() + proxy.passed) < 0.25


def test_a_created_file_is_ours_though_the_response_was_lost(url: str, proxy: FlakyServer) -> None:
    store = Store(url)
    name = uuid.uuid4().hex
    proxy.failure_rate = 0.5
    created = [store.create(f"{name}/{number}", f"ours {number}".encode()) for number in range(12)]
    assert created == [True] * 12
    assert proxy.failed["cut after"]
    assert store.create(f"{name}/0", b"another's") is False
    assert store.read(f"{name}/0") == b"ours 0"


def test_a_task_gives_up_soon_with_a_retryable_error(url: str, proxy: FlakyServer) -> None:
    store = Store(url, patient=False)
    proxy.failure_rate = 0
    proxy.forced = {"artifacts": 5}
    with pytest.raises(UnreachableError) as caught:
        store.find("curate", "0" * 64)
    assert caught.value.retryable
    assert str(caught.value).startswith(f"store {url}: not reachable (")
    assert "\n" not in str(caught.value)
    assert proxy.forced == {"artifacts": 1}, "four attempts"
    assert store.find("curate", "0" * 64) is None


def test_a_caller_without_retries_is_patient(url: str, proxy: FlakyServer) -> None:
    proxy.failure_rate = 0
    proxy.forced = {"artifacts": 7}
    assert Store(url).find("curate", "0" * 64) is None


def test_a_failed_listing_is_never_an_empty_one(url: str, proxy: FlakyServer) -> None:
    Store(url).write_run("first", {})
    proxy.failure_rate = 1
    for read in (lambda store: store.run_names(), lambda store: list(store.manifests("curate"))):
        with pytest.raises(UnreachableError):
            read(Store(url, patient=False))


def test_files_stay_where_the_manifest_may_have_been_written(
    url: str, proxy: FlakyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(url)
    proxy.failure_rate = 0
    with monkeypatch.context() as patch:
        patch.setattr(s3.Patient, "retries", 2)
        patch.setattr(
            proxy, "failure", lambda command, path: "cut after" if command == "PUT" and MANIFEST in path else None
        )
        with pytest.raises(UnreachableError):
            store.build(spec(1), lambda folder: filled(folder, 1))
    adopted = store.find("curate", spec(1).fingerprint)
    assert adopted is not None
    assert store.problem(adopted) is None


def test_an_error_that_is_not_transient_is_not_retried(url: str, proxy: FlakyServer) -> None:
    proxy.failure_rate = 0
    before = proxy.passed
    with pytest.raises(InputError, match="there is no such bucket"):
        Store(f"s3://no-{uuid.uuid4().hex}/prefix").write_run("first", {})
    assert proxy.passed - before <= 2
