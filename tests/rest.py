"""Requests to a Prefect server as its UI sends them.

Timeouts are long: the server may delay an answer for a minute while its database is locked.
"""

import uuid
from http import HTTPStatus
from typing import Any

import urllib3
from urllib3.util import Retry, make_headers

from tests.deployments.processes import PATIENCE, until

PATIENT = Retry(total=None, connect=False, read=2, status=False, allowed_methods=None)
"""Retries of requests of any method: all requests of the tests are idempotent."""


class RefusedError(Exception):
    """The server refused a request.

    Args:
        status: The HTTP status.
        body: The answer's body.
    """

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


def call(url: str, data: object = None, auth: str = "", method: str | None = None) -> Any:
    """Sends a GET, or a POST if there is data, unless another method is given; returns the answer's JSON.

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
    """Triggers a deployment, once even if the request is retried; returns the flow run's id."""
    identifier = call(f"{url}/deployments/name/{deployment}/{deployment}", auth=auth)["id"]
    body = {"parameters": parameters, "idempotency_key": uuid.uuid4().hex}
    return call(f"{url}/deployments/{identifier}/create_flow_run", body, auth)["id"]


def wait(url: str, flow_run: str, seconds: float = 3 * PATIENCE, auth: str = "") -> dict[str, Any]:
    """Waits for a flow run to end."""
    try:
        return until(lambda: _ended(url, flow_run, auth), f"flow run {flow_run} ends", seconds, every=1)
    except TimeoutError as error:
        error.add_note(f"its state: {call(f'{url}/flow_runs/{flow_run}', auth=auth)['state']}")
        raise


def _ended(url: str, flow_run: str, auth: str) -> dict[str, Any] | None:
    run = call(f"{url}/flow_runs/{flow_run}", auth=auth)
    return run if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None


def states(url: str, flow_run: str) -> dict[str, str]:
    """The state names of the task runs of an ended flow run, by name; waits for the last ones to reach the server."""

    def final_states() -> tuple[dict[str, str]] | None:
        runs = call(f"{url}/task_runs/filter", {"flow_runs": {"id": {"any_": [flow_run]}}})
        names = {run["name"]: run["state_name"] for run in runs}
        return None if {"Pending", "Running"} & set(names.values()) else (names,)

    return until(final_states, f"the server has the final states of the tasks of {flow_run}")[0]


def artifacts(url: str, flow_run: str) -> dict[str, Any]:
    """The artifacts that a flow run posted, by key."""
    posted = call(f"{url}/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [flow_run]}}})
    return {artifact["key"]: artifact["data"] for artifact in posted}
