"""The reports of a store over HTTP: a list of runs, each report by its fingerprint, and nothing else."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from deployments.reports import Reports
from tests.deployments.processes import PATIENCE
from tuner import loading, specs
from tuner.artifacts.store import Store
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


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        return answer.read().decode()


def made(store: Store) -> str:
    recipe = loading.parse(RECIPE)
    spec = specs.of_recipe(recipe).report

    def write(folder: Path) -> dict[str, object]:
        (folder / "report.html").write_text("<p>lora won ä by far</p>")
        (folder / "comparison.json").write_text("{}")
        (folder / "figures").mkdir()
        (folder / "figures" / "training.png").write_bytes(b"a picture")
        return {}

    store.build(spec, write)
    run = Run.start(store, recipe, None, "report")
    with run.recorded():
        run.note(spec, "made")
    return spec.fingerprint


def test_an_empty_store_has_no_run_yet(url: str) -> None:
    assert "There is no run yet" in read(url)


def test_a_run_links_to_its_report(url: str) -> None:
    fingerprint = made(Store(settings().store))
    assert f'href="/{fingerprint}"' in read(f"{url}/")
    assert read(f"{url}/{fingerprint}") == "<p>lora won ä by far</p>"


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
