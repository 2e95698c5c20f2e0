"""Prefect's server with access control on loopback and fixes for SQLite; `tuner up` starts it.

    python -m deployments.server --host 127.0.0.1 --port 4200

On loopback, requests are checked by `deployments.guard`; on any other address a password is required.

Transactions are those of `deployments.sqlite`, and garbage is collected in a separate thread, not on the event loop:
SQLAlchemy leaves the cursor of a failed statement to the garbage collector, and freeing it waits for its connection,
which may itself wait up to a minute (Prefect's `busy_timeout`) for another connection to commit. Freed on the event
loop, which every commit needs, the cursor would block the whole server for that minute.
"""

import argparse
import gc
import ipaddress
import math
import os
import socket
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING

from deployments import guard
from deployments.command import command
from tuner.errors import InputError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

STARTUP_SECONDS = 60.0
"""After this time the server is fully loaded. Its objects are then excluded from later collections, each of which would
otherwise block the server for about a second."""


def listen(host: str, port: int) -> socket.socket:
    """Listens on a port.

    Raises:
        InputError: If the address cannot be used.
    """
    try:
        return socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise InputError(f"--host {host} --port {port}: {error}") from None


def serve(listening: socket.socket) -> None:
    """Serves Prefect's API and UI on a listening socket, until this process ends.

    Raises:
        InputError: If the address is not loopback and no password is set.
    """
    host, port = listening.getsockname()
    # The UI uses the API of the server that it is loaded from, under the same name.
    os.environ.setdefault("PREFECT_UI_API_URL", "/api")
    os.environ.setdefault("PREFECT_SERVER_CORS_ALLOWED_ORIGINS", f"http://{host}:{port}")
    from prefect.settings import get_current_settings

    settings = get_current_settings().server
    loopback = ipaddress.ip_address(host).is_loopback
    password = settings.api.auth_string
    if not loopback and not (password and password.get_secret_value()):
        raise InputError(
            f"--host {host}: anyone who can reach this server can run its flows; "
            "set a password, PREFECT_SERVER_API_AUTH_STRING=user:password, or serve on 127.0.0.1"
        )
    import uvicorn  # slow to import, like Prefect's server
    from prefect.server.api.server import create_app

    from deployments.sqlite import begin_immediately

    collect_in_thread()
    begin_immediately()
    app: ASGIApp = create_app(final=True)
    if loopback:
        app = guarded(app, guard.addresses(host, port))
    with suppress(KeyboardInterrupt):  # uvicorn raises it after a clean shutdown
        uvicorn.Server(uvicorn.Config(app, log_level=settings.logging_level.lower())).run(sockets=[listening])


def guarded(app: "ASGIApp", own: set[str]) -> "ASGIApp":
    """Wraps an application so that it answers only requests that `guard` allows, websockets too.

    Args:
        app: The application.
        own: The server's own addresses, each `name:port`.
    """
    from starlette.responses import PlainTextResponse

    async def answer(scope: "Scope", receive: "Receive", send: "Send") -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}
        if scope["type"] == "lifespan" or not (refused := guard.refusal(headers, own)):
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refused})  # a 403 to the browser
        else:
            await PlainTextResponse(f"{refused}\n", HTTPStatus.FORBIDDEN)(scope, receive, send)

    return answer


def collect_in_thread(seconds: float = 1.0) -> None:
    """Disables automatic garbage collection in this process and collects in a separate thread instead.

    Args:
        seconds: The interval between collections of young objects; every sixtieth collection is a full one.
    """
    gc.disable()
    threading.Thread(target=_collect, args=(seconds,), name="garbage", daemon=True).start()


def _collect(seconds: float) -> None:
    freeze_at = time.monotonic() + STARTUP_SECONDS
    for number in count(1):
        time.sleep(seconds)
        gc.collect(2 if number % 60 == 0 else 1)
        if time.monotonic() > freeze_at:
            gc.freeze()
            freeze_at = math.inf


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=4200)
    arguments = parser.parse_args()
    command(lambda: serve(listen(arguments.host, arguments.port)))
