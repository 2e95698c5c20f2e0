"""Starts a run: through Prefect if there is work to do or a server to show it, else from the store alone."""

import base64
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any, cast

from deployments.environment import SERVER_FILE, START_SECONDS, environment
from tuner import interruption, planning, progress, runs, target
from tuner.artifacts.names import check_name
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError, StageError
from tuner.recipe import Recipe
from tuner.registry import run_name
from tuner.runs import Run
from tuner.settings import settings

REQUEST_SECONDS = 5.0
"""Timeout of one request to a server."""

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
"""The final state types of a flow run."""


def server() -> str | None:
    """The API URL of the server to use: the configured one, or that of `tuner up`; None if there is neither.

    Waits up to `START_SECONDS` for a server that is busy or starting, with a line on standard error.

    Raises:
        InputError: If the configured server does not answer, or refuses the password.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        if not _answers(url):
            raise InputError(f"PREFECT_API_URL={url}: no Prefect server answers there; start it, or unset the variable")
        if _refuses(url):
            raise InputError(f"PREFECT_API_AUTH_STRING: {url} refuses it; set it to the server's own user:password")
        return url
    path = settings().folder("prefect") / SERVER_FILE
    if path.exists():
        local = json.loads(path.read_text())
        if _answers(local["url"]):
            if local["store"] == Store(settings().store).url:
                os.environ.setdefault("TUNER_REPORTS", local["reports"])
                settings.cache_clear()
            return local["url"]
    return None


def _answers(url: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    waiting = False
    while (healthy := _is_healthy(url)) is None and time.monotonic() < deadline:
        if not waiting:
            sys.stderr.write(
                f"tuner: the Prefect server at {url} is busy; waiting up to {START_SECONDS:.0f} s for it\n"
            )
            sys.stderr.flush()
            waiting = True
        time.sleep(0.5)
    return bool(healthy)


def _is_healthy(url: str) -> bool | None:
    """Whether a server answers; None if it accepted the request but did not answer, or is busy."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=REQUEST_SECONDS) as response:
            return response.status == 200
    except urllib.error.HTTPError as error:
        if error.code in (502, 503, 504):
            return None
        return error.code in (401, 403)  # a server that requires a key
    except (TimeoutError, ConnectionResetError):
        return None
    except urllib.error.URLError as error:
        return None if isinstance(error.reason, TimeoutError | ConnectionResetError) else False
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _refuses(url: str) -> bool:
    """Whether a server refuses our password; its health endpoint requires none."""
    try:
        with urllib.request.urlopen(_request(url, "admin/version"), timeout=REQUEST_SECONDS):
            return False
    except urllib.error.HTTPError as error:
        return error.code == 401 and "PREFECT_API_KEY" not in os.environ
    except OSError:
        return False


def _request(url: str, path: str, data: object = None) -> urllib.request.Request:
    """A request to a Prefect server, with the password of the environment; a POST if there is data."""
    headers = {"Content-Type": "application/json"}
    if password := os.environ.get("PREFECT_API_AUTH_STRING"):
        headers["Authorization"] = f"Basic {base64.b64encode(password.encode()).decode()}"
    body = None if data is None else json.dumps(data).encode()
    return urllib.request.Request(f"{url.rstrip('/')}/{path}", body, headers)


@dataclass(frozen=True)
class RunRequest:
    """The arguments of `tuner run`.

    Attributes:
        text: The recipe's YAML.
        overrides: Changed settings, each `a.b=value`.
        name: The run's name, or None for the default.
        since: The first stage to run; the artifacts of the stages before must exist.
        until: The last stage to run.
    """

    text: str
    overrides: tuple[str, ...]
    name: str | None
    since: str
    until: str


def run(request: RunRequest, recipe: Recipe, plan: planning.Plan) -> str:
    """Runs a recipe to the end.

    Args:
        request: The arguments of the command.
        recipe: The parsed recipe.
        plan: Its plan.

    Returns:
        The run's name.

    Raises:
        InputError: If the user's input is wrong; nothing was started.
        StageError: If a stage failed; completed artifacts are kept.
    """
    if request.name:
        check_name(request.name)
    store = Store(settings().store)
    url = server()
    if plan.complete and url is None and not target.is_open(recipe, store, request.until):
        if not _invalidate_damaged(plan, store):
            return _record_cached(store, plan, Run.start(store, recipe, request.name, request.until))
        plan = planning.plan(recipe, store, request.until, request.since)
    former = store.read_run(request.name or run_name(recipe))
    # Before the server starts, so that a store that cannot be written is reported at once.
    run = Run.start(store, recipe, request.name, request.until)
    environment()
    interruption.handle_signals(store, run.name)
    interruption.on_termination(lambda: _cancel(runs.find(store, run.name)["flow_run"]))
    with _served(url, run):
        if former and former["state"] == "interrupted":
            # The interrupted process had only two seconds to cancel its flow run.
            Thread(target=_cancel, args=(former["flow_run"],), daemon=True).start()
        from flows.pipeline import pipeline

        planning.prepared.set((recipe, plan))
        return pipeline(
            recipe_yaml=request.text,
            overrides=request.overrides,
            name=run.name,
            # The plan has checked these strings.
            from_stage=cast(Any, request.since),
            until_stage=cast(Any, request.until),
        )


@contextmanager
def _served(url: str | None, run: Run) -> Iterator[None]:
    """Sets the server that Prefect uses: the one at `url`, or a temporary one, which starts during the imports."""
    if url:
        os.environ["PREFECT_API_URL"] = url
        yield
        return

    from deployments.temporary import TemporaryServer

    server = TemporaryServer(settings().folder("prefect") / "temporary-server.log")
    os.environ["PREFECT_API_URL"] = server.url
    import flows.pipeline  # noqa: F401

    try:
        server.wait()
    except StageError as error:
        run.end("failed", str(error))
        raise
    try:
        yield
    finally:
        del os.environ["PREFECT_API_URL"]  # the server is gone


def _cancel(flow_run: str | None) -> None:
    """Cancels a flow run on the Prefect server, if there is one, retrying while the server is busy."""
    url = os.environ.get("PREFECT_API_URL")
    deadline = time.monotonic() + START_SECONDS
    while url and flow_run and time.monotonic() < deadline:
        try:
            if _set_cancelled(url, flow_run):
                return
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                return  # it does not know the flow run, or refuses us
            # Otherwise the server is busy.
        except (ValueError, KeyError):
            return  # not a Prefect server
        time.sleep(0.2)


def _set_cancelled(url: str, flow_run: str) -> bool:
    """Sets a flow run's state to cancelled unless it has ended."""
    with urllib.request.urlopen(_request(url, f"flow_runs/{flow_run}"), timeout=REQUEST_SECONDS) as response:
        if json.load(response)["state_type"] in ENDED:
            return True
    state = {"state": {"type": "CANCELLED", "message": "interrupted in the terminal"}, "force": True}
    with urllib.request.urlopen(_request(url, f"flow_runs/{flow_run}/set_state", state), timeout=REQUEST_SECONDS):
        return True


def _invalidate_damaged(plan: planning.Plan, store: Store) -> bool:
    """Invalidates the first artifact with a damaged file, by sha256; whether there is one. A plan checks sizes only."""
    manifests = [step.manifest for steps in plan.steps.values() for step in steps if step.manifest]
    for manifest in manifests:
        for file in manifest.files:
            try:
                store.fetch(manifest, file.name)
            except DamagedArtifactError as error:
                store.invalidate(error)
                return True
    return False


def _record_cached(store: Store, plan: planning.Plan, run: Run) -> str:
    with run.recorded():
        for steps in plan.steps.values():
            for step in steps:
                run.note(step.spec, "cached")
                progress.emit(progress.Event(step.spec.stage, step.spec.label, state="cached", done=1, total=1))
    return run.name


def up(port: int) -> None:
    """Runs a persistent Prefect server on loopback, workers with the deployments and the reports, until interrupted.

    Raises:
        InputError: If the port, or the next one, is not available.
        StageError: If the server does not start, the deployments cannot be registered, or a process ends by itself.
    """
    environment()
    # Absolute, since workers run flows in a temporary folder.
    os.environ["TUNER_STORE"] = Store(settings().store).url

    from deployments.local import serve

    serve(port, settings().folder("prefect") / SERVER_FILE, sys.executable)
