"""Serves the store's reports over HTTP, so that the links in the Prefect UI open.

`/` lists the runs; `/FINGERPRINT` is the report of that name, `/FINGERPRINT/figures/NAME.png` a picture of it. There is
no password; whom `deployments.guard` lets pass is answered, under the address that `TUNER_REPORTS` names or loopback's.
"""

import argparse
import html
import ipaddress
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from deployments import guard
from deployments.command import command
from tuner import runs
from tuner.artifacts.store import Store
from tuner.errors import InputError, TunerError
from tuner.report.wording import duration, moment
from tuner.settings import settings


class Reports(BaseHTTPRequestHandler):
    """Answers GET only, with what is in the store at that moment."""

    server_version = "tuner"

    def do_GET(self) -> None:
        """The list of runs, one report, or a picture of it."""
        if refused := guard.refusal({name.lower(): value for name, value in self.headers.items()}, self._own()):
            self.send_error(HTTPStatus.FORBIDDEN, refused)
            return
        name, _, file = self.path.strip("/").partition("/")
        try:
            body = _file(name, file or "report.html") if name else _index().encode()
            status = HTTPStatus.OK if body else HTTPStatus.NOT_FOUND
        except TunerError as error:
            status, body = HTTPStatus.INTERNAL_SERVER_ERROR, html.escape(str(error)).encode()
        picture = file.endswith(".png") and status == HTTPStatus.OK
        body = body or b"There is no such report."
        self.send_response(status)
        self.send_header("Content-Type", "image/png" if picture else "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _own(self) -> set[str]:
        return guard.addresses(*self.connection.getsockname()) | {
            urlsplit(url).netloc for url in [settings().reports] if url
        }

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet: nobody reads who read what."""


def _file(name: str, file: str) -> bytes | None:
    """A file of a report that a browser shows, or None if there is no such report or file."""
    store = Store(settings().store)
    manifest = store.find("report", name) if re.fullmatch("[0-9a-f]{64}", name) else None
    shown = [each.name for each in manifest.files if each.name.endswith((".html", ".png"))] if manifest else []
    return store.fetch(manifest, file).read_bytes() if manifest and file in shown else None


def _index() -> str:
    store = Store(settings().store)
    lines = []
    for name in reversed(store.run_names()):
        record = runs.find(store, name)
        made = next((entry for entry in record["artifacts"] if entry["stage"] == "report"), None)
        title = f'<a href="/{made["fingerprint"]}">{html.escape(name)}</a>' if made else html.escape(name)
        told = runs.told(store, record)
        took = f", took {duration(told.seconds)}" if told.seconds is not None else ""
        when = f"{record['state']}, started {moment(told.started)} UTC{took}"
        lines.append(f"<li>{title} {when}<br>{html.escape(told.outcome)}</li>")
    listed = f"<ul>{''.join(lines)}</ul>" if lines else "<p>There is no run yet.</p>"
    return f"<!doctype html><title>Reports</title><h1>Reports in {html.escape(store.url)}</h1>{listed}"


def serve(host: str, port: int) -> None:
    """Serves until interrupted.

    Raises:
        InputError: If the reports are to be served on anything but loopback, and nobody says under which address.
    """
    with ThreadingHTTPServer((host, port), Reports) as server:
        if not ipaddress.ip_address(server.socket.getsockname()[0]).is_loopback and not settings().reports:
            raise InputError(
                f"--host {host}: the reports have no password; set TUNER_REPORTS to the address under which a browser "
                "opens them, or serve on 127.0.0.1"
            )
        server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=4201)
    given = parser.parse_args()
    command(lambda: serve(given.host, given.port))
