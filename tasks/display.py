"""Prefect UI artifacts of a stage: its progress, a table of metrics, the verdict."""

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
"""Minimum seconds between updates; each is an API call and a row in the database."""


@contextmanager
def shown(stage: str, label: str) -> Iterator[None]:
    """Shows the progress of making one artifact, throttled, for the duration of a block."""
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
    """Metrics as pairs of a name and a text, one for each figure; zeros in a group are left out.

    Args:
        metrics: A stage's metrics. Groups of figures are mappings, or lists of mappings, which are named by their
            string values.
        of: The name of the group that they belong to.
    """
    for key, value in metrics.items():
        name = f"{of}, {plain(key)}" if of else plain(key)
        if isinstance(value, Mapping):
            yield from figures({part: figure for part, figure in value.items() if figure not in (0, {}, [])}, name)
        elif isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
            for each in value:
                texts = [text for text in each.values() if isinstance(text, str)]
                rest = {part: figure for part, figure in each.items() if not isinstance(figure, str)}
                yield from figures(rest, f"{name} {' to '.join(texts)}".strip())
        elif isinstance(value, list):
            yield name, ", ".join(str(each) for each in value)
        else:
            yield name, _figure(value)


def verdict(store: Store, manifest: Manifest) -> None:
    """Posts the verdict with a link to the report, and the report's figures if they are server over HTTP."""
    lines = Reported.read(manifest).verdict
    uri = store.uri(manifest, "report.html")
    server = settings().reports.rstrip("/")
    link = f"{server}/{manifest.fingerprint}" if server else f"file://{uri}" if store.is_local else uri
    # A browser page cannot open a file or an S3 object, so the text shows the address for copying.
    text = "\n\n".join([f"**{lines[0]}**", *lines[1:], f"[{'Open the report' if server else uri}]({link})"])
    create_markdown_artifact(text, key="report", description="The verdict")
    for file in manifest.files if server else ():
        if file.name.endswith(".png"):
            name = Path(file.name).stem
            url = f"{server}/{manifest.fingerprint}/{file.name}"
            create_image_artifact(url, key=_key("figure", name), description=name.replace("_", " "))


def decision(decided: Decision) -> None:
    """Posts the resulting champion, and the figures of the comparison."""
    compared = decided.comparison
    lines = [f"**{decided.line}**", "", "| | run | adapter | held-out loss | 95 % interval |", "|---|---|---|---|---|"]
    sides: list[tuple[str, str, str, Loss | None]]
    sides = [("challenger", decided.run, decided.adapter, compared.challenger)]
    if champion := decided.champion:
        sides.append(("champion", champion.run, champion.adapter, compared.champion))
    for side, run, adapter, measured in sides:
        loss = Estimate(measured.loss, measured.low, measured.high) if measured else Estimate(None)
        lines.append(f"| {side} | {run} | {adapter} | {number(loss.value)} | {span(loss)} |")
    if result := compared.difference:
        difference = Estimate(result.difference, result.low, result.high)
        lines += ["", f"Challenger minus champion: {signed(difference)} {interval(difference)} nats per token."]
    challenger = compared.challenger
    lines += ["", f"Measured on {count(challenger.tokens)} tokens of {count(challenger.rows)} held-out rows."]
    create_markdown_artifact("\n".join(lines), key="decision", description="The champion, and the reason")


def _key(stage: str, label: str) -> str:
    """An artifact key, which may contain only lower-case letters, digits and dashes."""
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in f"{stage} {label}".lower()).split())


def _figure(value: Any) -> str:
    """A figure with a sensible number of digits."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ABSENT}[value]
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float) and math.isfinite(value) and value:
        return number(value, max(0, 3 - math.floor(math.log10(abs(value)))))
    return str(value)
