"""What a person sees of a stage in the Prefect UI: progress, a table, a line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from tuner import progress
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store

EVERY_SECONDS = 5.0
"""Each update is a call to the API and a row in its database."""


@contextmanager
def shown(stage: str, label: str) -> Iterator[None]:
    """Shows the progress of one artifact's making, throttled, for the duration of a block."""
    identifier: UUID | None = None
    last = time.monotonic()

    def show(event: progress.Event) -> None:
        nonlocal identifier, last
        if event.stage != stage or not event.total or time.monotonic() - last < EVERY_SECONDS:
            return
        if stage in ("generate", "train") and event.label != label:
            return
        last = time.monotonic()
        percent = 100.0 * event.done / event.total
        if identifier is None:
            created = create_progress_artifact(percent, description=f"{stage} {label}".strip())
            identifier = created if isinstance(created, UUID) else None
        else:
            update_progress_artifact(identifier, percent)

    with progress.listening(show):
        yield


def table(manifest: Manifest, label: str) -> None:
    """Posts a stage's metrics as a table."""
    rows = [{"measure": key, "value": _plain(value)} for key, value in manifest.metrics.items()]
    create_table_artifact(rows, key=_key(manifest.stage, label), description=f"{manifest.stage} {label}".strip())


def verdict(store: Store, manifest: Manifest) -> None:
    """Posts the verdict and where the report lies."""
    lines = [str(line) for line in manifest.metrics["verdict"]]
    uri = store.uri(manifest, "report.html")
    link = f"file://{uri}" if store.is_local else uri
    text = "\n\n".join([f"**{lines[0]}**", *lines[1:], f"Report: [{uri}]({link})"])
    create_markdown_artifact(text, key="report", description="The verdict")


def _key(stage: str, label: str) -> str:
    """Artifact keys hold lower-case letters, digits and dashes."""
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in f"{stage} {label}".lower()).split())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
