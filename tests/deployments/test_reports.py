"""The reports of a store over HTTP: a list of runs, each report by its fingerprint, and nothing else."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from deployments.reports import Reports, serve
from tests.deployments.processes import PATIENCE
from tuner import loading
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.registry import planned
from tuner.runs import Run
from tuner.settings import settings

RECIPE = (
    "name: small\nmodels: {generator: o/c, student: o/b}\ngeneration: {rows: 8}\ntraining: {lora: {method: lora}}\n"
)


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Reports) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def read(url: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        return answer.read().decode()


def made(store: Store) -> str:
    recipe = loading.parse(RECIPE)
    spec = planned(recipe).one("report")

    def write(folder: Path) -> dict[str, object]:
        (folder / "report.html").write_text("<p>lora won ä by far</p>")
        (folder / "comparison.json").write_text("{}")
        (folder / "figures").mkdir()
        (folder / "figures" / "training.png").write_bytes(b"a picture")
        return {"verdict": ["lora <won>.", "It cost little."], "winner": "lora"}

    store.build(spec, write)
    run = Run.start(store, recipe, None, "report")
    with run.recorded():
        run.note(spec, "made")
    return spec.fingerprint


def test_an_empty_store_has_no_run_yet(url: str) -> None:
    assert "No runs yet" in read(url)


def test_a_run_links_to_its_report(url: str) -> None:
    fingerprint = made(Store(settings().store))
    assert f'href="/{fingerprint}"' in read(f"{url}/")
    assert read(f"{url}/{fingerprint}") == "<p>lora won ä by far</p>"


def test_a_run_is_listed_with_its_verdict_or_why_it_failed(url: str) -> None:
    store = Store(settings().store)
    made(store)
    failed = Run.start(store, loading.parse(RECIPE, ["seed=7"]), "broken", "report")
    failed.end("failed", "train lora: out of memory <here>")
    page = read(f"{url}/")
    assert "lora &lt;won&gt;." in page
    assert "It cost little" not in page
    assert "train lora: out of memory &lt;here&gt;" in page


def test_a_picture_is_shown_by_itself(url: str) -> None:
    fingerprint = made(Store(settings().store))
    with urllib.request.urlopen(f"{url}/{fingerprint}/figures/training.png", timeout=PATIENCE) as answer:
        assert (answer.headers["Content-Type"], answer.read()) == ("image/png", b"a picture")


@pytest.mark.parametrize("file", ["figures/other.png", "figures", "../x/report.html", "comparison.json"])
def test_a_report_shows_nothing_else(url: str, file: str) -> None:
    fingerprint = made(Store(settings().store))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(f"{url}/{fingerprint}/{file}")


@pytest.mark.parametrize("path", ["f" * 64, "../../etc/passwd", "x", "%2e%2e/run.json"])
def test_anything_else_is_not_found(url: str, path: str) -> None:
    made(Store(settings().store))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(f"{url}/{path}")


def test_a_damaged_report_is_said_and_not_shown(url: str) -> None:
    store = Store(settings().store)
    fingerprint = made(store)
    (path,) = Path(store.root).glob("artifacts/report/*/*/report.html")
    path.write_text("<p>lora won ä by fax</p>")
    with pytest.raises(urllib.error.HTTPError, match="500") as refused:
        read(f"{url}/{fingerprint}")
    assert "does not match its sha256" in refused.value.read().decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example:4201"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "empty"},
    ],
)
def test_no_page_of_another_site_reads_it(url: str, headers: dict[str, str]) -> None:
    fingerprint = made(Store(settings().store))
    for path in ("", fingerprint):
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            read(f"{url}/{path}", **headers)
        assert "won" not in refused.value.read().decode()


def test_the_ui_shows_its_pictures(url: str) -> None:
    fingerprint = made(Store(settings().store))
    shown = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}
    request = urllib.request.Request(f"{url}/{fingerprint}/figures/training.png", headers=shown)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.read() == b"a picture"


@pytest.mark.parametrize("address", ["http://box.example:8000", "https://reports.example"])
def test_it_is_also_called_as_the_setting_says(url: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host = address.split("//")[1]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        read(url, Host=host)
    monkeypatch.setenv("TUNER_REPORTS", address)
    settings.cache_clear()
    assert "No runs yet" in read(url, Host=host)
    assert "No runs yet" in read(url)


def test_nobody_else_is_served_unasked() -> None:
    with pytest.raises(InputError, match=r"--host 0\.0\.0\.0: the reports have no password; set TUNER_REPORTS"):
        serve("0.0.0.0", 0)
