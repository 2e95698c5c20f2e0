"""What the checks did, as the page says it: the funnel, the marks, and which checks found nothing or were off."""

from collections.abc import Mapping
from typing import Any

from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.report.wording import count, listed, plain, rows_of


def funnel(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every reason that rejects a row: rows it was the first to reject, rows it rejects at all, and the rows left."""
    left = metrics["rows"]
    found = []
    for reason, first in metrics["funnel"].items():
        left -= first
        if every := metrics["reasons"].get(reason, first):
            found.append({"reason": plain(reason), "first": count(first), "all": count(every), "left": count(left)})
    return found


def masked(metrics: Mapping[str, Any], curation: Curation) -> str:
    """What was masked in texts, as a sentence; empty if nothing was."""
    found = curation.safety.masked(metrics)
    return f"Masked in the texts, and not rejected for it: {found}." if found else ""


def marks(metrics: Mapping[str, Any], curation: Curation) -> str:
    """The reasons that were recorded and neither rejected nor masked anything, as a sentence; empty if none was."""
    found = [
        f"{plain(reason)} ({rows_of(rows)})"
        for reason, rows in metrics.get("marks", {}).items()
        if rows and reason not in curation.safety.masking
    ]
    return f"Marked and not rejected for it: {listed(found)}." if found else ""


def idle(metrics: Mapping[str, Any], curation: Curation) -> str:
    """The checks that were made and found nothing, as a sentence; empty if all found something."""
    off = curation.off()
    found = [
        plain(reason)
        for reason, rows in metrics["reasons"].items()
        if not rows and not metrics.get("marks", {}).get(reason) and reason not in off
    ]
    return f"Looked for and found in no row: {listed(found)}." if found else ""


def off(curation: Curation) -> str:
    """The checks that the recipe left out, each with the setting that says so, as a sentence; empty if none was."""
    by_setting: dict[str, list[str]] = {}
    for reason, setting in curation.off().items():
        by_setting.setdefault(setting, []).append(plain(reason))
    found = [f"{listed(reasons)} ({setting})" for setting, reasons in by_setting.items()]
    return f"Not looked for: {'; '.join(found)}." if found else ""


def meanings(metrics: Mapping[str, Any]) -> dict[str, str]:
    """What each reason means that any row has, by its name in words."""
    noted = [
        reason
        for reason in {**metrics["reasons"], **metrics.get("marks", {})}
        if metrics["reasons"].get(reason) or metrics.get("marks", {}).get(reason)
    ]
    return {plain(reason): REASONS[reason] for reason in noted if reason in REASONS}


def options(metrics: Mapping[str, Any], kind: str) -> list[dict[str, str]]:
    """What the browser lets one choose: the reasons or marks that any row has, with how many rows.

    Args:
        metrics: Of the stage `curate`.
        kind: `reasons` or `marks`.
    """
    return [
        {"value": plain(reason), "text": f"{plain(reason)} ({count(rows)})"}
        for reason, rows in metrics.get(kind, {}).items()
        if rows
    ]
