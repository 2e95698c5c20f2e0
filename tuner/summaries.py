"""A run in one line, as in a list of runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError
from tuner.report.metrics import Reported
from tuner.runs import made, recorded_artifacts


@dataclass(frozen=True)
class Summary:
    """A run in a list of runs.

    Attributes:
        started: Start, ISO 8601 in UTC. For a completed run, that of the last attempt that made an artifact.
        seconds: Duration of that attempt; None if it has not ended.
        outcome: The first line of its report's verdict, or why it failed; empty if there is neither.
    """

    started: str
    seconds: float | None
    outcome: str


def summarize(store: Store, record: Mapping[str, Any]) -> Summary:
    """Summarizes a run in one line."""
    times = (record["state"] == "completed" and made(record)) or record
    seconds = None
    if times["ended"]:
        seconds = (datetime.fromisoformat(times["ended"]) - datetime.fromisoformat(times["started"])).total_seconds()
    return Summary(times["started"], seconds, " ".join((record["error"] or _verdict(store, record)).split()))


def _verdict(store: Store, record: Mapping[str, Any]) -> str:
    reference = next((each for each in recorded_artifacts(record) if each.stage == "report"), None)
    try:
        report = store.find(reference.stage, reference.fingerprint) if reference else None
        return Reported.read(report).verdict[0] if report else ""
    except DamagedArtifactError:  # the next run makes it again
        return ""
