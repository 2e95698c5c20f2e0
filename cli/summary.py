"""Texts about a run: the summary at its end, its report and its lineage."""

import os
from pathlib import Path
from typing import Any

from deployments.environment import pages
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.curation.metrics import Curated
from tuner.errors import InputError
from tuner.reading.metrics import Read
from tuner.registry import planned
from tuner.report.metrics import Reported
from tuner.runs import recipe_of
from tuner.settings import settings


def summary(store: Store, record: dict[str, Any]) -> str:
    """The verdict, the run's name, the paths of report and adapters, and the page in the Prefect UI."""
    recipe = recipe_of(record)
    wanted = planned(recipe)
    lines = [""]
    if report := store.find("report", wanted.one("report").fingerprint):
        lines += [*Reported.read(report).verdict, ""]
    lines.append(f"run       {record['name']}")
    for part in wanted.of("read"):
        if read := store.find(part.stage, part.fingerprint):
            lines.append(f"read      {part.label}: {'; '.join(Read.read(read).lines)}")
    if record.get("target"):
        lines.append(f"target    {record['target']}")
    curated = store.find("curate", wanted.one("curate").fingerprint)
    if curated and (masked := recipe.curation.safety.masked(Curated.read(curated).marks)):
        lines.append(f"masked    {masked}")
    if report:
        lines.append(f"report    {store.uri(report, 'report.html')}")
    for name, spec in ((part.label, part) for part in wanted.of("train")):
        if trained := store.find("train", spec.fingerprint):
            lines.append(f"adapter   {name}: {store.uri(trained, 'adapter')}")
    # Set if a server is running; otherwise `tuner up` starts one.
    api = os.environ.get("PREFECT_API_URL")
    page = pages(api or "http://127.0.0.1:4200/api")
    if record["flow_run"]:
        page = f"{page}/runs/flow-run/{record['flow_run']}"
    lines.append(f"Prefect   {'' if api else 'tuner up, then '}{page}")
    return "\n".join(lines)


def report_path(store: Store, record: dict[str, Any]) -> Path:
    """The local path of a run's report, checked.

    Raises:
        InputError: If the run has no report.
    """
    wanted = planned(recipe_of(record))
    manifest: Manifest | None = store.find("report", wanted.one("report").fingerprint)
    if manifest is None:
        raise InputError(f"{record['name']}: has no report yet (state: {record['state']}); run its recipe again")
    path = store.fetch(manifest, "report.html")
    if store.is_local:
        return path
    copy = settings().folder("reports") / f"{record['name']}.html"
    copy.write_bytes(path.read_bytes())
    return copy


def lineage_text(data: dict[str, Any]) -> str:
    """A lineage as text: the run's error, if any; its artifacts from the report back to the shards; a row's history."""
    record = data["run"]
    lines = [f"failed: {' '.join(record['error'].split())}"] if record["error"] else []
    lines.append(f"{record['name']}: {record['state']}, started {record['started']}")
    for artifact in reversed(data["artifacts"]):
        state = artifact["uri"] or "missing"
        lines.append(f"  {artifact['stage']:9}{artifact['label']:15}{artifact['fingerprint'][:12]}  {state}")
    for name, adapter in data["adapters"].items():
        if adapter["uri"]:
            lines.append(f"adapter {name}: {adapter['uri']}")
        rows = adapter["training_rows"]
        lines.append(
            f"adapter {name} was trained on {len(rows)} rows: {', '.join(rows[:6])}{', ...' * (len(rows) > 6)}"
        )
    if row := data.get("row"):
        lines.append("")
        lines += [f"{key:20}{value}" for key, value in row.items() if key != "messages"]
    elif data["adapters"]:
        lines.append(f"the history of a row: tuner show {record['name']} --row ROW")
    return "\n".join(lines)
