"""The rows that the page lets one leaf through: an even choice over what was kept and every reason and mark."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tuner.report.curated import Curated, Positions, Row
from tuner.report.why import causes, relation
from tuner.report.wording import finite, plain

MOST_ROWS = 800
"""Rows to choose; the winners of duplicates among them come on top."""

MOST_CHARACTERS = 1500


def chosen(curated: Curated) -> list[int]:
    """The rows to show, rising.

    Every reason, every mark, and `kept` gets the same number of places, and what one does not need goes to the others.
    A row with several reasons takes a place of each; what that leaves is spread over all rows.

    Args:
        curated: The rows.

    Returns:
        `MOST_ROWS` positions; all there are, if there are no more.
    """
    if len(curated) <= MOST_ROWS:
        return list(range(len(curated)))
    groups: list[Positions] = [*curated.reasons.values(), *curated.marks.values(), np.flatnonzero(curated.kept)]
    taken = np.zeros(len(curated), np.bool_)
    left = MOST_ROWS
    # The smallest first, so that what it does not need is left to the rest.
    for done, rows in enumerate(sorted(groups, key=len)):
        free = rows[~taken[rows]]
        wanted = left // (len(groups) - done) - (rows.size - free.size)
        added = _spread(free, min(free.size, max(wanted, 0)))
        taken[added] = True
        left -= added.size
    taken[_spread(np.flatnonzero(~taken), left)] = True
    return np.flatnonzero(taken).tolist()


def described(rows: Mapping[int, Row], also: Iterable[int] = ()) -> list[dict[str, Any]]:
    """Rows as the page's script reads them, in order of position, long texts cut, without what does not apply.

    Args:
        rows: By position.
        also: Positions that were not chosen for themselves: the winners of others.
    """
    beside = set(also)
    return [_row(rows[position], position in beside) for position in sorted(rows)]


def cut(text: str | None) -> str:
    """A text as the page holds it: whole, or its beginning with a mark that says how much is missing."""
    text = text or ""
    missing = len(text) - MOST_CHARACTERS
    return text if missing <= 0 else f"{text[:MOST_CHARACTERS]} […cut here, {missing:,} more characters]"


def embeddable(value: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or start another."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    escapes = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
    return text.translate(str.maketrans(escapes))


def _spread(rows: Positions, places: int) -> Positions:
    return rows[np.arange(places) * rows.size // places] if places else rows[:0]


def _row(row: Row, beside: bool) -> dict[str, Any]:
    quality = finite(row.get("quality"))
    beaten_by = row.get("duplicate_of")
    shown = {
        "id": row["row_id"],
        "verdict": row["verdict"],
        "reasons": [plain(reason) for reason in row.get("reasons") or []],
        "marks": [plain(mark) for mark in row.get("marks") or []],
        "quality": None if quality is None else round(quality, 3),
        "instruction": cut(row.get("instruction")),
        "response": cut(row.get("response")),
        "twin": beaten_by,
        "relation": relation(row) if beaten_by else None,
        "why": [[name, cut(text)] for name, text in causes(row)],
        "beside": beside,
    }
    return {key: value for key, value in shown.items() if value is not None and value is not False and value != []}
