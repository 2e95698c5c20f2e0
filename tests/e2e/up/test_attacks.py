"""Attacks: a page of another origin in the browser, and a client of the server, must not run code of their own."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.deployments.processes import until
from tests.e2e.up.conftest import Up
from tests.e2e.up.person import CHROMIUM, chromium
from tests.rest import call, wait

pytestmark = pytest.mark.e2e

STEP = "prefect.deployments.steps.run_shell_script"

ATTACK = """async ([api, step, script]) => {
    const ask = async (path, body) => {
        const answer = await fetch(api + path, {
            method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)
        });
        return await answer.json();
    };
    const flow = await ask("/flows/", {name: "attack"});
    const deployment = await ask("/deployments/", {
        name: "attack", flow_id: flow.id, work_pool_name: "cpu", entrypoint: "flows.pipeline.pipeline",
        pull_steps: [{[step]: {script: script}}],
    });
    return (await ask(`/deployments/${deployment.id}/create_flow_run`, {})).id;
}"""
"""Makes a deployment with a pull step and triggers it; returns the flow run's id."""

BLIND = """async (api) => {
    await fetch(api + "/flows/", {method: "POST", mode: "no-cors", body: new Blob(['{"name": "blind"}'])});
}"""
"""Makes a flow without a CORS preflight: the body has no content type, which Prefect's server treats as JSON."""

SOCKET = """(url) => new Promise(resolve => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
})"""


@pytest.fixture
def foreign_port() -> Iterator[int]:
    """The port of a server with a foreign page."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>Kittens</title><body>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser for which an attacker's host name resolves to 127.0.0.1 (DNS rebinding)."""
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    with chromium("--host-resolver-rules=MAP rebound.example 127.0.0.1") as browser:
        yield browser


def attack(page: Page, api: str, script: str) -> str:
    """Makes a page run a script on this machine; returns the flow run's id.

    Raises:
        Error: If the page's requests are refused.
    """
    return page.evaluate(ATTACK, [api, STEP, script])


def test_a_page_of_another_origin_runs_nothing(up: Up, browser: Browser, foreign_port: int, tmp_path: Path) -> None:
    script = f"touch {tmp_path / 'attacked'}"
    page = browser.new_page()
    for host in ("127.0.0.1", "localhost"):
        page.goto(f"http://{host}:{foreign_port}/")
        with pytest.raises(Error, match="Failed to fetch"):
            attack(page, up.url, script)
        page.evaluate(BLIND, up.url)
        assert page.evaluate(SOCKET, up.url.replace("http", "ws", 1) + "/events/in") == "refused"

    answer = page.goto(up.url.replace("127.0.0.1", "rebound.example").removesuffix("/api"))
    assert answer and answer.status == 403
    with pytest.raises(Error, match="is not valid JSON"):
        attack(page, "/api", script)

    flows = {flow["name"] for flow in call(f"{up.url}/flows/filter", {})}
    assert "pipeline" in flows
    assert not flows & {"attack", "blind"}
    assert not (tmp_path / "attacked").exists()


def make_deployment(up: Up, name: str, **deployment: Any) -> str:
    """Makes a foreign deployment; returns its id."""
    flow = call(f"{up.url}/flows/", {"name": "foreign"})["id"]
    body = {"name": name, "flow_id": flow, "work_pool_name": "cpu", **deployment}
    return call(f"{up.url}/deployments/", body)["id"]


def test_a_worker_runs_no_foreign_deployment(up: Up, tmp_path: Path) -> None:
    touch = f"touch {tmp_path / 'attacked'}"
    shipped = {"entrypoint": "flows.pipeline.pipeline"}
    script = tmp_path / "evil.py"
    script.write_text(f"import os\nfrom prefect import flow\nos.system({touch!r})\n@flow\ndef evil(): pass\n")
    cases: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
        "pulls": ({**shipped, "pull_steps": [{STEP: {"script": touch}}]}, {}, f"the pull step {STEP}"),
        "a file": ({"entrypoint": f"{script}:evil", "path": str(tmp_path)}, {}, f"the entrypoint {script}:evil"),
        "a command": (shipped, {"command": touch}, "job variables (command)"),
    }
    runs = []
    for name, (deployment, variables, refusal) in cases.items():
        body = {"parameters": {"plan_only": True}, "job_variables": variables}
        identifier = make_deployment(up, name, **deployment)
        runs.append((call(f"{up.url}/deployments/{identifier}/create_flow_run", body)["id"], refusal))
    for run, refusal in runs:
        ended = wait(up.url, run)
        assert ended["state_type"] == "FAILED"
        assert refusal in ended["state"]["message"]
    assert not (tmp_path / "attacked").exists()

    for run, refusal in runs:
        logs = until(lambda run=run: refusals(up, run), "the refusal is logged")
        assert [refusal in each["message"] for each in logs] == [True]
        assert "Traceback" not in logs[0]["message"]


def refusals(up: Up, run: str) -> list[dict[str, Any]]:
    """The errors in the log of a flow run."""
    return call(f"{up.url}/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}, "level": {"ge_": 40}}})
