"""Starts a run: through Prefect where there is something to do or a server to show it, else straight from the store."""

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
from tuner import interruption, planning, progress, runs
from tuner.artifacts.names import check_name
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError, StageError
from tuner.recipe import Recipe
from tuner.registry import run_name
from tuner.runs import Run
from tuner.settings import settings

ASK_SECONDS = 5.0
"""How long one question to a server waits for its answer."""

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
"""The types of the states in which a flow run stays."""


def server() -> str | None:
    """The API URL of the server to use: the one configured, or the one that `tuner up` runs; None if there is none.

    A server that is busy or still starts is waited for, up to `START_SECONDS`, with a line on standard error.

    Raises:
        InputError: If a server is configured that does not answer, or refuses the password.
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
    latest = time.monotonic() + START_SECONDS
    waiting = False
    while (answer := _asked(url)) is None and time.monotonic() < latest:
        if not waiting:
            sys.stderr.write(
                f"tuner: the Prefect server at {url} is busy; waiting up to {START_SECONDS:.0f} s for it\n"
            )
            sys.stderr.flush()
            waiting = True
        time.sleep(0.5)
    return bool(answer)


def _asked(url: str) -> bool | None:
    """Whether a server is there; None if it took the question without answering it, or cannot answer now."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=ASK_SECONDS) as response:
            return response.status == 200
    except urllib.error.HTTPError as error:
        if error.code in (502, 503, 504):
            return None
        return error.code in (401, 403)  # it is there, and wants a key
    except (TimeoutError, ConnectionResetError):
        return None
    except urllib.error.URLError as error:
        return None if isinstance(error.reason, TimeoutError | ConnectionResetError) else False
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _refuses(url: str) -> bool:
    """Whether a server wants another password than ours; its health it tells to everyone."""
    try:
        with urllib.request.urlopen(_request(url, "admin/version"), timeout=ASK_SECONDS):
            return False
    except urllib.error.HTTPError as error:
        return error.code == 401 and "PREFECT_API_KEY" not in os.environ
    except OSError:
        return False


def _request(url: str, path: str, data: object = None) -> urllib.request.Request:
    """A request to a Prefect server, with the password of the environment; a POST if there are data."""
    headers = {"Content-Type": "application/json"}
    if password := os.environ.get("PREFECT_API_AUTH_STRING"):
        headers["Authorization"] = f"Basic {base64.b64encode(password.encode()).decode()}"
    body = None if data is None else json.dumps(data).encode()
    return urllib.request.Request(f"{url.rstrip('/')}/{path}", body, headers)


@dataclass(frozen=True)
class Asked:
    """What a person asked to be run.

    Attributes:
        text: The recipe's YAML.
        overrides: `a.b=value` each.
        name: The run's name, or None for the recipe's own.
        since: The first stage to run; what comes before it has to be there.
        until: The stage wanted.
    """

    text: str
    overrides: tuple[str, ...]
    name: str | None
    since: str
    until: str


def run(asked: Asked, recipe: Recipe, plan: planning.Plan) -> str:
    """Runs a recipe to the end.

    Args:
        asked: What was asked for.
        recipe: The recipe that this means.
        plan: Its plan.

    Returns:
        The run's name.

    Raises:
        InputError: If the user's input is wrong; nothing was started.
        StageError: If a stage failed; what was done is kept.
    """
    if asked.name:
        check_name(asked.name)
    store = Store(settings().store)
    url = server()
    if plan.complete and url is None:
        if not _damaged(plan, store):
            return _nothing_to_do(store, plan, Run.start(store, recipe, asked.name, asked.until))
        plan = planning.plan(recipe, store, asked.until, asked.since)
    former = store.read_run(asked.name or run_name(recipe))
    # Started here already, so that a store that cannot be written says so before a server is started.
    run = Run.start(store, recipe, asked.name, asked.until)
    environment()
    interruption.on_signals(store, run.name)
    interruption.on_end(lambda: _cancel(runs.find(store, run.name)["flow_run"]))
    with _served(url, run):
        if former and former["state"] == "interrupted":
            # Whoever was interrupted had two seconds to tell the server.
            Thread(target=_cancel, args=(former["flow_run"],), daemon=True).start()
        from flows.pipeline import pipeline

        planning.handed.set((recipe, plan))
        return pipeline(
            recipe_yaml=asked.text,
            overrides=asked.overrides,
            name=run.name,
            # Checked by the plan, to which these are plain strings.
            from_stage=cast(Any, asked.since),
            until_stage=cast(Any, asked.until),
        )


@contextmanager
def _served(url: str | None, run: Run) -> Iterator[None]:
    """Has Prefect use a server: the one at `url`, or one of this process alone, which starts beside the imports."""
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
        del os.environ["PREFECT_API_URL"]  # nobody else is to look for it there


def _cancel(flow_run: str | None) -> None:
    """Tells a server that goes on running that the flow run is over, until it knows; without one nobody is told."""
    url = os.environ.get("PREFECT_API_URL")
    latest = time.monotonic() + START_SECONDS
    while url and flow_run and time.monotonic() < latest:
        try:
            if _told(url, flow_run):
                return
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                return  # it does not know the flow run, or us
            # Else it is busy.
        except (ValueError, KeyError):
            return  # it is another program
        time.sleep(0.2)


def _told(url: str, flow_run: str) -> bool:
    """Sets a flow run's state unless it has ended."""
    with urllib.request.urlopen(_request(url, f"flow_runs/{flow_run}"), timeout=ASK_SECONDS) as response:
        if json.load(response)["state_type"] in ENDED:
            return True
    state = {"state": {"type": "CANCELLED", "message": "interrupted in the terminal"}, "force": True}
    with urllib.request.urlopen(_request(url, f"flow_runs/{flow_run}/set_state", state), timeout=ASK_SECONDS):
        return True


def _damaged(plan: planning.Plan, store: Store) -> bool:
    """Whether any file is hurt, by its sha256; the plan has judged by size alone. What is hurt is invalidated."""
    found = [step.manifest for steps in plan.steps.values() for step in steps if step.manifest]
    for manifest in found:
        for file in manifest.files:
            try:
                store.fetch(manifest, file.name)
            except DamagedArtifactError as error:
                store.invalidate(error)
                return True
    return False


def _nothing_to_do(store: Store, plan: planning.Plan, run: Run) -> str:
    with run.recorded():
        for steps in plan.steps.values():
            for step in steps:
                run.note(step.spec, "cached")
                progress.emit(progress.Event(step.spec.stage, step.spec.label, state="cached", done=1, total=1))
    return run.name


def up(port: int) -> None:
    """Runs a persistent Prefect server on loopback, workers with the deployments and the reports, until interrupted.

    Raises:
        InputError: If the port, or the next one, cannot be had.
        StageError: If the server does not start, the deployments cannot be registered, or a process ends by itself.
    """
    environment()
    # Absolute, since a worker starts flow runs in a temporary folder.
    os.environ["TUNER_STORE"] = Store(settings().store).url

    from deployments.local import serve

    serve(port, settings().folder("prefect") / SERVER_FILE, sys.executable)
