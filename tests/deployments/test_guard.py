"""A server without a password answers programs and its own pages, but no page of another origin."""

from http import HTTPStatus
from socket import create_connection
from typing import Any

import pytest
import urllib3
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from deployments import guard, server
from tests.deployments.conftest import Server
from tests.rest import call

OWN = guard.addresses("127.0.0.1", 4200)

ANSWERED: dict[str, dict[str, str]] = {
    "a program": {"host": "127.0.0.1:4200"},
    "a program that says localhost": {"host": "LOCALHOST:4200"},
    "the UI": {"host": "127.0.0.1:4200", "origin": "http://127.0.0.1:4200", "sec-fetch-site": "same-origin"},
    "the UI as localhost": {"host": "localhost:4200", "origin": "http://localhost:4200"},
    "an address typed in": {"host": "127.0.0.1:4200", "sec-fetch-site": "none", "sec-fetch-dest": "document"},
    "a link elsewhere": {"host": "127.0.0.1:4200", "sec-fetch-site": "cross-site", "sec-fetch-dest": "document"},
    "a figure in the UI": {"host": "127.0.0.1:4200", "sec-fetch-site": "same-site", "sec-fetch-dest": "image"},
    "a figure in the UI as localhost": {
        "host": "127.0.0.1:4200",
        "sec-fetch-site": "cross-site",
        "sec-fetch-dest": "image",
    },
}

REFUSED: dict[str, dict[str, str]] = {
    "no name": {},
    "an empty name": {"host": ""},
    "a rebound name": {"host": "rebound.example:4200"},
    "a rebound name's own page": {"host": "rebound.example:4200", "origin": "http://rebound.example:4200"},
    "a name that begins like ours": {"host": "127.0.0.1:4200.example"},
    "another port": {"host": "127.0.0.1:4201"},
    "no port": {"host": "127.0.0.1"},
    "a page of another site": {"host": "127.0.0.1:4200", "origin": "https://evil.example"},
    "a page of another port": {"host": "127.0.0.1:4200", "origin": "http://127.0.0.1:9999"},
    "localhost's page at another name": {"host": "127.0.0.1:4200", "origin": "http://localhost:4200"},
    "a sandboxed page": {"host": "127.0.0.1:4200", "origin": "null"},
    "a link that posts": {"host": "127.0.0.1:4200", "origin": "https://evil.example", "sec-fetch-dest": "document"},
    "a frame": {"host": "127.0.0.1:4200", "sec-fetch-site": "cross-site", "sec-fetch-dest": "iframe"},
    "a script": {"host": "127.0.0.1:4200", "sec-fetch-site": "cross-site", "sec-fetch-dest": "script"},
    "what is fetched unread": {"host": "127.0.0.1:4200", "sec-fetch-site": "cross-site", "sec-fetch-dest": "empty"},
}


@pytest.mark.parametrize("headers", ANSWERED.values(), ids=ANSWERED)
def test_programs_and_own_pages_are_answered(headers: dict[str, str]) -> None:
    assert guard.refusal(headers, OWN) is None


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_other_pages_are_refused(headers: dict[str, str]) -> None:
    refused = guard.refusal(headers, OWN)
    assert refused and "\n" not in refused


def test_a_request_to_another_name_is_refused_with_the_right_one() -> None:
    assert guard.refusal({"host": "box:4200"}, OWN) == (
        "this server is not called 'box:4200'; its address is http://127.0.0.1:4200 or http://localhost:4200"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:80"])
def test_a_browser_leaves_out_port_80(host: str) -> None:
    assert guard.refusal({"host": host, "origin": f"http://{host}"}, guard.addresses("127.0.0.1", 80)) is None


@pytest.fixture
def application() -> TestClient:
    async def everything(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            socket = WebSocket(scope, receive, send)
            await socket.accept()
            await socket.close()
        else:
            await PlainTextResponse("done")(scope, receive, send)

    return TestClient(server.guarded(everything, OWN), base_url="http://127.0.0.1:4200")


def test_requests_and_websockets_are_guarded(application: TestClient) -> None:
    assert application.post("/").text == "done"
    with application.websocket_connect("ws://127.0.0.1:4200/"):
        pass
    foreign = {"Origin": "https://evil.example"}
    answer = application.post("/", headers=foreign)
    assert (answer.status_code, answer.text) == (403, "a page of https://evil.example may not use this server\n")
    with pytest.raises(WebSocketDisconnect), application.websocket_connect("ws://127.0.0.1:4200/", headers=foreign):
        pass


@pytest.mark.parametrize(
    "headers", [{"Host": "rebound.example"}, {"Origin": "http://127.0.0.1:9999"}, {"Sec-Fetch-Site": "cross-site"}]
)
@pytest.mark.parametrize("path", ["/api/health", "/api/admin/version", "/api/flows/filter", "/", "/ui-settings"])
def test_a_real_server_refuses_a_foreign_page(guarded: Server, path: str, headers: dict[str, str]) -> None:
    url = guarded.url.removesuffix("/api") + path
    for method in ("GET", "POST", "OPTIONS"):
        answer = urllib3.request(method, url, headers=headers, timeout=60)
        assert answer.status == HTTPStatus.FORBIDDEN
        assert not {name for name in answer.headers if name.lower().startswith("access-control-")}


def test_a_real_server_lets_no_foreign_page_read_what_it_answers(guarded: Server) -> None:
    origin = guarded.url.removesuffix("/api")
    answer = urllib3.request("GET", f"{guarded.url}/health", headers={"Origin": origin}, timeout=60)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (HTTPStatus.OK, origin)


def test_a_real_servers_websockets_refuse_a_foreign_page(guarded: Server) -> None:
    url = guarded.url.replace("http", "ws", 1) + "/events/in"
    own = guarded.url.removesuffix("/api")
    with connect(url, origin=own, subprotocols=["prefect"]) as socket:  # type: ignore[arg-type]  # plain strings
        assert socket.subprotocol == "prefect"
    for asked, origin in ((url, "http://127.0.0.1:9999"), (url.replace("127.0.0.1", "rebound.example"), None)):
        reached = create_connection(("127.0.0.1", int(own.rpartition(":")[2])))
        with pytest.raises(InvalidStatus) as refused, connect(asked, sock=reached, origin=origin):  # type: ignore[arg-type]
            pass
        assert refused.value.response.status_code == HTTPStatus.FORBIDDEN


def test_the_ui_uses_the_server_that_it_is_loaded_from(guarded: Server) -> None:
    assert call(guarded.url.removesuffix("/api") + "/ui-settings")["api_url"] == "/api"
