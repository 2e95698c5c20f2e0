"""What a person sees of a stage in the Prefect UI: progress, a table, a line."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_run_logger
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
from tuner.evaluation.metrics import Loss
from tuner.regeneration.decision import Decision
from tuner.report.metrics import Reported
from tuner.report.wording import ABSENT, Estimate, count, interval, number, plain, signed, span
from tuner.settings import settings

EVERY_SECONDS = 5.0
"""Each update is a call to the API and a row in its database."""


@contextmanager
def shown(stage: str, label: str) -> Iterator[None]:
    """Shows the progress of one artifact's making, throttled, for the duration of a block."""
    identifier: UUID | None = None
    last = time.monotonic()
    lines, log = progress.Lines(), get_run_logger()
    name = f"{stage} {label}".strip()

    def show(event: progress.Event) -> None:
        nonlocal identifier, last
        if event.stage != stage or not event.total:
            return
        if event.label not in ("", label):
            return
        if line := lines.of(event):
            log.info("%s: %s", name, line)
        if time.monotonic() - last < EVERY_SECONDS:
            return
        last = time.monotonic()
        percent = round(100.0 * event.share, 1)
        if identifier is None:
            created = create_progress_artifact(percent, key=_key("progress", name), description=name)
            identifier = created if isinstance(created, UUID) else None
        else:
            update_progress_artifact(identifier, percent)

    with progress.listening(show):
        yield
    if identifier:
        update_progress_artifact(identifier, 100.0)


def table(manifest: Manifest, label: str) -> None:
    """Posts a stage's metrics as a table."""
    rows = [{"measure": name, "value": value} for name, value in figures(manifest.metrics)]
    create_table_artifact(rows, key=_key(manifest.stage, label), description=f"{manifest.stage} {label}".strip())


def figures(metrics: Mapping[str, Any], of: str = "") -> Iterator[tuple[str, str]]:
    """Metrics as pairs of a name and a text: one for each figure of a group, but for those of a group that are 0.

    Args:
        metrics: A stage's; groups of figures are mappings, or lists of mappings that say by their texts what they are.
        of: The group that they belong to.
    """
    for key, value in metrics.items():
        name = f"{of}, {plain(key)}" if of else plain(key)
        if isinstance(value, Mapping):
            yield from figures({each: found for each, found in value.items() if found not in (0, {}, [])}, name)
        elif isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
            for each in value:
                texts = [found for found in each.values() if isinstance(found, str)]
                rest = {part: found for part, found in each.items() if not isinstance(found, str)}
                yield from figures(rest, f"{name} {' to '.join(texts)}".strip())
        elif isinstance(value, list):
            yield name, ", ".join(str(each) for each in value)
        else:
            yield name, _figure(value)


def verdict(store: Store, manifest: Manifest) -> None:
    """Posts the verdict, where the report lies, and its pictures where something serves them."""
    lines = Reported.read(manifest).verdict
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
    compared = decided.comparison
    lines = [f"**{decided.line}**", "", "| | run | adapter | held-out loss | 95 % interval |", "|---|---|---|---|---|"]
    sides: list[tuple[str, str, str, Loss | None]]
    sides = [("challenger", decided.run, decided.adapter, compared.challenger)]
    if champion := decided.champion:
        sides.append(("champion", champion.run, champion.adapter, compared.champion))
    for side, run, adapter, found in sides:
        loss = Estimate(found.loss, found.low, found.high) if found else Estimate(None)
        lines.append(f"| {side} | {run} | {adapter} | {number(loss.value)} | {span(loss)} |")
    if found := compared.difference:
        difference = Estimate(found.difference, found.low, found.high)
        lines += ["", f"Challenger minus champion: {signed(difference)} {interval(difference)} nats per token."]
    measured = compared.challenger
    lines += ["", f"Measured on {count(measured.tokens)} tokens of {count(measured.rows)} held-out rows."]
    create_markdown_artifact("\n".join(lines), key="decision", description="Who is the champion, and why")


def _key(stage: str, label: str) -> str:
    """Artifact keys hold lower-case letters, digits and dashes."""
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in f"{stage} {label}".lower()).split())


def _figure(value: Any) -> str:
    """A figure with as many digits as say something."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ABSENT}[value]
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float) and math.isfinite(value) and value:
        return number(value, max(0, 3 - math.floor(math.log10(abs(value)))))
    return str(value)
