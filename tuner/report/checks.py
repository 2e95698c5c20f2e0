"""The page's summary of the checks: the funnel, the marks, and which checks found nothing or were off."""

from collections.abc import Mapping

from tuner.curation.metrics import Curated
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.report.wording import count, listed, plain, rows_of


def funnel(counted: Curated) -> list[dict[str, str]]:
    """Each reason that rejects a row: rows it was the first to reject, all rows it rejects, and the rows left."""
    left = counted.rows
    steps = []
    for reason, first in counted.funnel.items():
        left -= first
        if total := counted.reasons[reason]:
            steps.append({"reason": plain(reason), "first": count(first), "all": count(total), "left": count(left)})
    return steps


def masked(counted: Curated, curation: Curation) -> str:
    """What was masked in texts, as a sentence; empty if nothing was."""
    masked = curation.safety.masked(counted.marks)
    return f"Masked in the texts instead of rejected: {masked}." if masked else ""


def marks(counted: Curated, curation: Curation) -> str:
    """The reasons that only marked rows, without rejecting or masking, as a sentence; empty if there are none."""
    marks = [
        f"{plain(reason)} ({rows_of(rows)})"
        for reason, rows in counted.marks.items()
        if rows and reason not in curation.safety.masking
    ]
    return f"Marked only, not rejected: {listed(marks)}." if marks else ""


def idle(counted: Curated, curation: Curation) -> str:
    """The reasons that were checked and found in no row, as a sentence; empty if there are none."""
    off = curation.off()
    absent = [
        plain(reason)
        for reason, rows in counted.reasons.items()
        if not rows and not counted.marks[reason] and reason not in off
    ]
    return f"Checked and found in no row: {listed(absent)}." if absent else ""


def off(curation: Curation) -> str:
    """The reasons that the recipe switches off, with the setting for each, as a sentence; empty if there are none."""
    by_setting: dict[str, list[str]] = {}
    for reason, setting in curation.off().items():
        by_setting.setdefault(setting, []).append(plain(reason))
    parts = [f"{listed(reasons)} ({setting})" for setting, reasons in by_setting.items()]
    return f"Not checked: {'; '.join(parts)}." if parts else ""


def meanings(counted: Curated) -> dict[str, str]:
    """The meaning of each reason that occurs in a row, by the reason's name in words."""
    present = [reason for reason, rows in counted.reasons.items() if rows or counted.marks[reason]]
    return {plain(reason): REASONS[reason] for reason in present}


def options(counts: Mapping[str, int]) -> list[dict[str, str]]:
    """The options of a filter on the page: the reasons or marks that occur, with their numbers of rows.

    Args:
        counts: Rows by reason.
    """
    return [
        {"value": plain(reason), "text": f"{plain(reason)} ({count(rows)})"} for reason, rows in counts.items() if rows
    ]
