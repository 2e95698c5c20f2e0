"""Automations on a real server: the notifications that they send, and where the webhook's address is stored."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import EventTrigger
from prefect.events.schemas.events import ResourceSpecification
from prefect.states import Failed

from deployments import automations
from deployments.register import register
from deployments.settings import cluster
from tests.deployments.conftest import Server
from tests.deployments.processes import PATIENCE
from tests.rest import call

NextMessage = Callable[[], dict[str, str]]


@pytest.fixture
def next_message(client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[NextMessage]:
    """A registered webhook; returns a function that waits for its next message."""
    received: Queue[dict[str, str]] = Queue()

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    Thread(target=server.serve_forever, daemon=True).start()
    CustomWebhookNotificationBlock(
        name="tuner",
        url=f"http://127.0.0.1:{server.server_port}/secret-address",
        json_data={"subject": "{{subject}}", "body": "{{body}}"},
        headers=None,
        cookies=None,
    ).save("tuner-test", overwrite=True)
    monkeypatch.setenv("TUNER_NOTIFY_BLOCK", "custom-webhook/tuner-test")
    cluster.cache_clear()
    register()

    def next_one() -> dict[str, str]:
        try:
            return received.get(timeout=PATIENCE)
        except Empty:
            raise TimeoutError("no notification arrived") from None

    yield next_one
    server.shutdown()
    server.server_close()


def failed_run(client: SyncPrefectClient, deployment: str) -> None:
    found = client.read_deployment_by_name(deployment)
    run = client.create_flow_run_from_deployment(found.id, name="quickstart: lora r8")
    client.set_flow_run_state(run.id, Failed(message="the disk is full"), force=True)


def test_a_failed_run_and_a_new_champion_are_notified(
    guarded: Server, client: SyncPrefectClient, next_message: NextMessage
) -> None:
    failed_run(client, "report/report")
    message = next_message()
    assert message["subject"] == "report failed: quickstart: lora r8"
    assert message["body"].startswith("the disk is full\nhttp")

    event: dict[str, Any] = {
        "occurred": "2026-01-01T00:00:00Z",
        "event": "tuner.champion.promoted",
        "resource": {"prefect.resource.id": "tuner.alias.champion"},
        "payload": {"run": "quickstart-1234abcd", "adapter": "lora", "loss": 0.984},
        "id": "00000000-0000-4000-8000-000000000001",
    }
    call(f"{guarded.url}/events", [event], guarded.auth)
    message = next_message()
    assert message["subject"] == "New champion: lora of quickstart-1234abcd"
    assert "loss: 0.984" in message["body"]


def test_no_automation_contains_the_address(guarded: Server, next_message: NextMessage) -> None:
    found = call(f"{guarded.url}/automations/filter", {}, guarded.auth)
    assert [each["actions"][0]["type"] for each in sorted(found, key=lambda each: each["name"])] == [
        "change-flow-run-state",
        "send-notification",
        "send-notification",
    ]
    assert "secret-address" not in json.dumps(found)


def test_only_runs_of_this_project_are_watched() -> None:
    trigger = automations.crash_silent_runs().trigger
    assert isinstance(trigger, EventTrigger) and isinstance(trigger.match_related, ResourceSpecification)
    assert trigger.match_related.root == {"prefect.resource.id": "prefect.tag.tuner", "prefect.resource.role": "tag"}
    # Three heartbeats and the server's own delay have to fit into two minutes.
    assert 60 < trigger.within.total_seconds() <= 100


@pytest.mark.parametrize(("pool_type", "watched"), [("process", True), ("docker", False), ("kubernetes", False)])
def test_pending_runs_are_watched_in_process_pools(
    pool_type: str, watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNER_POOL_TYPE", pool_type)
    cluster.cache_clear()
    trigger = automations.crash_silent_runs().trigger
    assert isinstance(trigger, EventTrigger)
    assert ("prefect.flow-run.Pending" in trigger.after) is watched
