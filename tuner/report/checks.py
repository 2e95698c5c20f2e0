"""What the checks did, as the page says it: the funnel, the marks, and which checks found nothing or were off."""

from collections.abc import Mapping

from tuner.curation.metrics import Curated
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.report.wording import count, listed, plain, rows_of


def funnel(counted: Curated) -> list[dict[str, str]]:
    """Every reason that rejects a row: rows it was the first to reject, rows it rejects at all, and the rows left."""
    left = counted.rows
    found = []
    for reason, first in counted.funnel.items():
        left -= first
        if every := counted.reasons[reason]:
            found.append({"reason": plain(reason), "first": count(first), "all": count(every), "left": count(left)})
    return found


def masked(counted: Curated, curation: Curation) -> str:
    """What was masked in texts, as a sentence; empty if nothing was."""
    found = curation.safety.masked(counted.marks)
    return f"Masked in the texts, and not rejected for it: {found}." if found else ""


def marks(counted: Curated, curation: Curation) -> str:
    """The reasons that were recorded and neither rejected nor masked anything, as a sentence; empty if none was."""
    found = [
        f"{plain(reason)} ({rows_of(rows)})"
        for reason, rows in counted.marks.items()
        if rows and reason not in curation.safety.masking
    ]
    return f"Marked and not rejected for it: {listed(found)}." if found else ""


def idle(counted: Curated, curation: Curation) -> str:
    """The checks that were made and found nothing, as a sentence; empty if all found something."""
    off = curation.off()
    found = [
        plain(reason)
        for reason, rows in counted.reasons.items()
        if not rows and not counted.marks[reason] and reason not in off
    ]
    return f"Looked for and found in no row: {listed(found)}." if found else ""


def off(curation: Curation) -> str:
    """The checks that the recipe left out, each with the setting that says so, as a sentence; empty if none was."""
    by_setting: dict[str, list[str]] = {}
    for reason, setting in curation.off().items():
        by_setting.setdefault(setting, []).append(plain(reason))
    found = [f"{listed(reasons)} ({setting})" for setting, reasons in by_setting.items()]
    return f"Not looked for: {'; '.join(found)}." if found else ""


def meanings(counted: Curated) -> dict[str, str]:
    """What each reason means that any row has, by its name in words."""
    noted = [reason for reason, rows in counted.reasons.items() if rows or counted.marks[reason]]
    return {plain(reason): REASONS[reason] for reason in noted}


def options(counts: Mapping[str, int]) -> list[dict[str, str]]:
    """What the browser lets one choose: the reasons or marks that any row has, with how many rows.

    Args:
        counts: Rows by reason.
    """
    return [
        {"value": plain(reason), "text": f"{plain(reason)} ({count(rows)})"} for reason, rows in counts.items() if rows
    ]
