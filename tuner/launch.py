"""Starts a run: through Prefect where there is something to do or a server to show it, else straight from the store."""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import psutil

from tuner import planning, progress, runs
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError
from tuner.loading import parse
from tuner.runs import Run, check_name
from tuner.settings import settings

SERVER_FILE = "server.json"
"""In the home folder while `tuner up` runs: the server's URL."""


def environment() -> None:
    """Sets what Prefect reads when it is imported: quiet on the terminal, everything kept under the home folder."""
    home = settings().folder("prefect")
    for key, value in {
        "PREFECT_HOME": str(home),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        # The server's first start makes its database and takes 10 to 18 s on two cores, more when they are busy.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "TQDM_DISABLE": "1",
    }.items():
        os.environ.setdefault(key, value)


def server() -> str | None:
    """The API URL of the server to use: the one configured, or the one that `tuner up` runs; None if there is none.

    Raises:
        InputError: If a server is configured that does not answer.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        if not _answers(url):
            raise InputError(f"PREFECT_API_URL={url}: no Prefect server answers there; start it, or unset the variable")
        return url
    path = settings().folder("prefect") / SERVER_FILE
    if path.exists():
        url = json.loads(path.read_text())["url"]
        if _answers(url):
            return url
    return None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=5) as response:
            return response.status == 200
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)  # it is there, and wants a key
    except (OSError, ValueError):
        return False


def run(text: str, overrides: list[str], name: str | None, until: str, source: str) -> str:
    """Runs a recipe to the end.

    Args:
        text: The recipe's YAML.
        overrides: `a.b=value` each.
        name: The run's name, or None for the recipe's own.
        until: The last stage.
        source: What to call the recipe in errors.

    Returns:
        The run's name.

    Raises:
        InputError: If the user's input is wrong; nothing was started.
        StageError: If a stage failed; what was done is kept.
    """
    recipe = parse(text, overrides, source)
    if name:
        check_name(name)
    store = Store(settings().store)
    url = server()
    plan = planning.plan(recipe, store, until)
    if plan.complete and url is None and not _damaged(plan, store):
        return _nothing_to_do(store, plan, Run.start(store, recipe, name, until))
    # Started here already, so that a store that cannot be written says so before a server is started.
    run = Run.start(store, recipe, name, until)
    environment()
    if url:
        os.environ["PREFECT_API_URL"] = url
    _stoppable(store, run.name)

    from flows.pipeline import pipeline

    return pipeline(recipe=text, overrides=overrides, name=run.name, until=until)


def _stoppable(store: Store, name: str) -> None:
    """Makes SIGINT and SIGTERM end this run at once: whatever is complete is kept, the rest is begun anew next time."""

    def stop(*_: object) -> NoReturn:
        record = runs.find(store, name)
        Run(store, record).end("interrupted")
        _cancel(record["flow_run"])
        # The training child and the temporary server would outlive a process that leaves like this.
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        sys.stderr.write("tuner: interrupted; the same command goes on where this one stopped\n")
        sys.stderr.flush()
        # Threads that compute cannot be interrupted in any other way.
        os._exit(130)

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, stop)


def _cancel(flow_run: str | None) -> None:
    """Tells a server that goes on running that the flow run is over; without one there is nobody to tell."""
    url = os.environ.get("PREFECT_API_URL")
    if not (url and flow_run):
        return
    state = {"state": {"type": "CANCELLED", "message": "interrupted in the terminal"}, "force": True}
    request = urllib.request.Request(
        f"{url}/flow_runs/{flow_run}/set_state", json.dumps(state).encode(), {"Content-Type": "application/json"}
    )
    with suppress(OSError), urllib.request.urlopen(request, timeout=5):
        pass


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


def up(port: int) -> int:
    """Runs a persistent Prefect server on loopback and a worker with the deployments, until interrupted.

    Returns:
        The exit code.
    """
    environment()
    os.environ.setdefault("TUNER_STORE", settings().store)
    if "://" not in os.environ["TUNER_STORE"]:
        # A worker starts flow runs in a temporary folder.
        os.environ["TUNER_STORE"] = str(Path(os.environ["TUNER_STORE"]).absolute())

    from deployments.local import serve

    return serve(port, settings().folder("prefect") / SERVER_FILE, sys.executable)
