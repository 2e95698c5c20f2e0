"""Requests to a Prefect server as its UI sends them.

They are patient: while its database is locked the server may hold an answer back for a minute.
"""

import uuid
from http import HTTPStatus
from typing import Any

import urllib3
from urllib3.util import Retry, make_headers

from tests.deployments.processes import PATIENCE, until

PATIENT = Retry(total=None, connect=False, read=2, status=False, allowed_methods=None)
"""What is asked again, of any method: every request of a test can be repeated without doing a thing twice."""


class RefusedError(Exception):
    """The server answered, and refused.

    Args:
        status: The HTTP status.
        said: The answer's body.
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status, self.said = status, said


def call(url: str, data: object = None, auth: str = "", method: str | None = None) -> Any:
    """GETs, or POSTs JSON, unless another method is given; returns what the answer's JSON says.

    Raises:
        RefusedError: If the status is 400 or above.
    """
    headers = make_headers(basic_auth=auth) if auth else {}
    method = method or ("GET" if data is None else "POST")
    answer = urllib3.request(method, url, json=data, headers=headers, timeout=60, retries=PATIENT)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise RefusedError(answer.status, answer.data.decode())
    return answer.json() if answer.data else None


def trigger(url: str, deployment: str, parameters: dict[str, Any], auth: str = "") -> str:
    """Triggers a deployment of that name, once, however often it is asked; returns the flow run's id."""
    identifier = call(f"{url}/deployments/name/{deployment}/{deployment}", auth=auth)["id"]
    body = {"parameters": parameters, "idempotency_key": uuid.uuid4().hex}
    return call(f"{url}/deployments/{identifier}/create_flow_run", body, auth)["id"]


def wait(url: str, flow_run: str, seconds: float = 3 * PATIENCE, auth: str = "") -> dict[str, Any]:
    """Waits for a flow run to end."""
    return until(lambda: _ended(url, flow_run, auth), f"flow run {flow_run} ends", seconds, every=1)


def _ended(url: str, flow_run: str, auth: str) -> dict[str, Any] | None:
    run = call(f"{url}/flow_runs/{flow_run}", auth=auth)
    return run if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None


def states(url: str, flow_run: str) -> dict[str, str]:
    """The state's name of every task run of a flow run that has ended; the server hears of the last ones later."""

    def settled() -> tuple[dict[str, str]] | None:
        runs = call(f"{url}/task_runs/filter", {"flow_runs": {"id": {"any_": [flow_run]}}})
        found = {run["name"]: run["state_name"] for run in runs}
        return None if {"Pending", "Running"} & set(found.values()) else (found,)

    return until(settled, f"the server knows how the tasks of {flow_run} ended")[0]


def artifacts(url: str, flow_run: str) -> dict[str, Any]:
    """What a flow run posted, by key."""
    found = call(f"{url}/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [flow_run]}}})
    return {artifact["key"]: artifact["data"] for artifact in found}
