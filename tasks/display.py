"""What a person sees of a stage in the Prefect UI: progress, a table, a line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from tuner import progress
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.regeneration.decision import Decision
from tuner.report.wording import Estimate, count, interval, number, signed, span
from tuner.settings import settings

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
        if stage in ("generate", "examine", "match", "train") and event.label != label:
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
    """Posts the verdict, where the report lies, and its pictures where something serves them."""
    lines = [str(line) for line in manifest.metrics["verdict"]]
    uri = store.uri(manifest, "report.html")
    served = settings().reports.rstrip("/")
    link = f"{served}/{manifest.fingerprint}" if served else f"file://{uri}" if store.is_local else uri
    # A page cannot open a file or an object of a store: its address has to be there to be copied.
    text = "\n\n".join([f"**{lines[0]}**", *lines[1:], f"[{'Open the report' if served else uri}]({link})"])
    create_markdown_artifact(text, key="report", description="The verdict")
    for file in manifest.files if served else ():
        if file.name.endswith(".png"):
            name = Path(file.name).stem
            url = f"{served}/{manifest.fingerprint}/{file.name}"
            create_image_artifact(url, key=_key("figure", name), description=name.replace("_", " "))


def decision(decided: Decision) -> None:
    """Posts who is the champion now, and the figures behind it."""
    figures = decided.comparison
    lines = [f"**{decided.line}**", "", "| | run | adapter | held-out loss | 95 % interval |", "|---|---|---|---|---|"]
    sides = {"challenger": (decided.run, decided.adapter)}
    if decided.champion:
        sides["champion"] = (decided.champion.run, decided.champion.adapter)
    for side, (run, adapter) in sides.items():
        loss = Estimate(*(figures.get(side, {}).get(key) for key in ("loss", "low", "high")))
        lines.append(f"| {side} | {run} | {adapter} | {number(loss.value)} | {span(loss)} |")
    if found := figures.get("difference"):
        difference = Estimate(*(found[key] for key in ("difference", "low", "high")))
        lines += ["", f"Challenger minus champion: {signed(difference)} {interval(difference)} nats per token."]
    measured = figures["challenger"]
    lines += ["", f"Measured on {count(measured['tokens'])} tokens of {count(measured['rows'])} held-out rows."]
    create_markdown_artifact("\n".join(lines), key="decision", description="Who is the champion, and why")


def _key(stage: str, label: str) -> str:
    """Artifact keys hold lower-case letters, digits and dashes."""
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in f"{stage} {label}".lower()).split())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
