"""Serves the store's reports over HTTP, for the links in the Prefect UI.

`/` lists the runs; `/FINGERPRINT` is a report, `/FINGERPRINT/figures/NAME.png` one of its figures. There is no
password; requests are checked by `deployments.guard`, for the address in `TUNER_REPORTS` and those of loopback.
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
from tuner.summaries import summarize


class Reports(BaseHTTPRequestHandler):
    """Answers GET requests from the current contents of the store."""

    server_version = "tuner"

    def do_GET(self) -> None:
        """Sends the list of runs, a report, or one of its figures."""
        if refused := guard.refusal({name.lower(): value for name, value in self.headers.items()}, self._own()):
            self.send_error(HTTPStatus.FORBIDDEN, refused)
            return
        name, _, file = self.path.strip("/").partition("/")
        try:
            body = _file(name, file or "report.html") if name else _index().encode()
            status = HTTPStatus.OK if body else HTTPStatus.NOT_FOUND
        except TunerError as error:
            status, body = HTTPStatus.INTERNAL_SERVER_ERROR, html.escape(str(error)).encode()
        is_image = file.endswith(".png") and status == HTTPStatus.OK
        body = body or b"No such report."
        self.send_response(status)
        self.send_header("Content-Type", "image/png" if is_image else "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _own(self) -> set[str]:
        return guard.addresses(*self.connection.getsockname()) | {
            urlsplit(url).netloc for url in [settings().reports] if url
        }

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


def _file(name: str, file: str) -> bytes | None:
    """An HTML or PNG file of a report; None if there is no such report or file."""
    store = Store(settings().store)
    manifest = store.find("report", name) if re.fullmatch("[0-9a-f]{64}", name) else None
    shown = [each.name for each in manifest.files if each.name.endswith((".html", ".png"))] if manifest else []
    return store.fetch(manifest, file).read_bytes() if manifest and file in shown else None


def _index() -> str:
    store = Store(settings().store)
    lines = []
    for name in reversed(store.run_names()):
        record = runs.find(store, name)
        report = next((entry for entry in record["artifacts"] if entry["stage"] == "report"), None)
        title = f'<a href="/{report["fingerprint"]}">{html.escape(name)}</a>' if report else html.escape(name)
        summary = summarize(store, record)
        took = f", took {duration(summary.seconds)}" if summary.seconds is not None else ""
        when = f"{record['state']}, started {moment(summary.started)} UTC{took}"
        lines.append(f"<li>{title} {when}<br>{html.escape(summary.outcome)}</li>")
    listed = f"<ul>{''.join(lines)}</ul>" if lines else "<p>No runs yet.</p>"
    return f"<!doctype html><title>Reports</title><h1>Reports in {html.escape(store.url)}</h1>{listed}"


def serve(host: str, port: int) -> None:
    """Serves until interrupted.

    Raises:
        InputError: If the host is not loopback and `TUNER_REPORTS` is not set.
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
    arguments = parser.parse_args()
    command(lambda: serve(arguments.host, arguments.port))
