"""Prefect's own server, made fit for SQLite and for the machine of a person who also browses; `tuner up` starts it.

    python -m deployments.server --host 127.0.0.1 --port 4200

On loopback it answers whom `deployments.guard` lets pass; anywhere else it wants a password.

Its transactions are those of `deployments.sqlite`, and its garbage is collected beside its event loop: SQLAlchemy
leaves the cursor of a statement that failed to the garbage collector, and whoever frees a cursor waits for its
connection. That may be waiting itself, for up to a minute (Prefect's `busy_timeout`), for another one to commit. Freed
on the event loop, through which every commit goes, the cursor stops the whole server for that minute.
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

SETTLED_SECONDS = 60.0
"""After so long all that the server consists of is loaded. It is left out of later collections, each of which would
otherwise stop the server for the second that it takes to look through it."""


def listen(host: str, port: int) -> socket.socket:
    """Listens on a port.

    Raises:
        InputError: If that cannot be.
    """
    try:
        return socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise InputError(f"--host {host} --port {port}: {error}") from None


def serve(listening: socket.socket) -> None:
    """Serves Prefect's API and UI on a socket that listens, until this process is ended.

    Raises:
        InputError: If it listens on anything but loopback, and no password is set.
    """
    host, port = listening.getsockname()
    # The UI asks the server that it comes from, under the name by which it was opened.
    os.environ.setdefault("PREFECT_UI_API_URL", "/api")
    os.environ.setdefault("PREFECT_SERVER_CORS_ALLOWED_ORIGINS", f"http://{host}:{port}")
    from prefect.settings import get_current_settings

    settings = get_current_settings().server
    loopback = ipaddress.ip_address(host).is_loopback
    password = settings.api.auth_string
    if not loopback and not (password and password.get_secret_value()):
        raise InputError(
            f"--host {host}: whoever reaches this server may run its flows; "
            "set a password, PREFECT_SERVER_API_AUTH_STRING=user:password, or serve on 127.0.0.1"
        )
    import uvicorn  # and Prefect's server: seconds, which importers may not want
    from prefect.server.api.server import create_app

    from deployments.sqlite import begin_immediately

    collect_beside()
    begin_immediately()
    app: ASGIApp = create_app(final=True)
    if loopback:
        app = guarded(app, guard.addresses(host, port))
    with suppress(KeyboardInterrupt):  # uvicorn's own last word, after it has ended well
        uvicorn.Server(uvicorn.Config(app, log_level=settings.logging_level.lower())).run(sockets=[listening])


def guarded(app: "ASGIApp", own: set[str]) -> "ASGIApp":
    """An application that answers only what `guard` lets pass, websockets too.

    Args:
        app: The application.
        own: Its addresses, `name:port` each.
    """
    from starlette.responses import PlainTextResponse

    async def answer(scope: "Scope", receive: "Receive", send: "Send") -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}
        if scope["type"] == "lifespan" or not (refused := guard.refusal(headers, own)):
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refused})  # to the browser it is a 403
        else:
            await PlainTextResponse(f"{refused}\n", HTTPStatus.FORBIDDEN)(scope, receive, send)

    return answer


def collect_beside(seconds: float = 1.0) -> None:
    """Has the garbage of this process collected in a thread of its own from now on.

    Args:
        seconds: Between two collections of what is young; every sixtieth is of everything.
    """
    gc.disable()
    threading.Thread(target=_collect, args=(seconds,), name="garbage", daemon=True).start()


def _collect(seconds: float) -> None:
    settled = time.monotonic() + SETTLED_SECONDS
    for turn in count(1):
        time.sleep(seconds)
        gc.collect(2 if turn % 60 == 0 else 1)
        if time.monotonic() > settled:
            gc.freeze()
            settled = math.inf


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=4200)
    given = parser.parse_args()
    command(lambda: serve(listen(given.host, given.port)))
