"""The sample of rows to browse on the page, spread evenly over kept rows and every reason and mark."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tuner.report.curated import Curated, Positions, Row
from tuner.report.why import details, relation
from tuner.report.wording import finite, plain

MOST_ROWS = 800
"""Rows to select; those shown elsewhere on the page and those kept in place of duplicates are added to these."""

MOST_CHARACTERS = 1500


def select(curated: Curated) -> list[int]:
    """The positions of the rows to show, ascending.

    Every reason, every mark and the kept rows get the same number of places; places that one does not need go to the
    others. A row with several reasons counts for each of them; places left over are spread over all rows.

    Args:
        curated: The rows.

    Returns:
        `MOST_ROWS` positions, or all if there are no more rows.
    """
    if len(curated) <= MOST_ROWS:
        return list(range(len(curated)))
    groups: list[Positions] = [*curated.reasons.values(), *curated.marks.values(), np.flatnonzero(curated.kept)]
    selected = np.zeros(len(curated), np.bool_)
    left = MOST_ROWS
    # The smallest group first, so that the places that it does not need go to the rest.
    for done, rows in enumerate(sorted(groups, key=len)):
        free = rows[~selected[rows]]
        wanted = left // (len(groups) - done) - (rows.size - free.size)
        added = _spread(free, min(free.size, max(wanted, 0)))
        selected[added] = True
        left -= added.size
    selected[_spread(np.flatnonzero(~selected), left)] = True
    return np.flatnonzero(selected).tolist()


def as_data(rows: Mapping[int, Row], added: Iterable[int] = ()) -> list[dict[str, Any]]:
    """Rows as data for the page's script, by position, with long texts cut and empty fields left out.

    Args:
        rows: The rows, by position.
        added: Positions that were not selected but were kept in place of selected duplicates.
    """
    extra = set(added)
    return [_row(rows[position], position in extra) for position in sorted(rows)]


def cut(text: str | None) -> str:
    """A text for the page: whole, or its beginning with the number of characters left out."""
    text = text or ""
    missing = len(text) - MOST_CHARACTERS
    return text if missing <= 0 else f"{text[:MOST_CHARACTERS]} […cut here, {missing:,} more characters]"


def embeddable(value: Any) -> str:
    """JSON that is safe inside a script element: nothing in it can end the element or start another."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    escapes = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
    return text.translate(str.maketrans(escapes))


def _spread(rows: Positions, places: int) -> Positions:
    """As many rows as places, at even distances."""
    return rows[np.arange(places) * rows.size // places] if places else rows[:0]


def _row(row: Row, added: bool) -> dict[str, Any]:
    quality = finite(row.get("quality"))
    duplicate_of = row.get("duplicate_of")
    fields = {
        "id": row["row_id"],
        "verdict": row["verdict"],
        "reasons": [plain(reason) for reason in row.get("reasons") or []],
        "marks": [plain(mark) for mark in row.get("marks") or []],
        "quality": None if quality is None else round(quality, 3),
        "instruction": cut(row.get("instruction")),
        "response": cut(row.get("response")),
        "twin": duplicate_of,
        "relation": relation(row) if duplicate_of else None,
        "why": [[name, cut(text)] for name, text in details(row)],
        "beside": added,
    }
    return {key: value for key, value in fields.items() if value is not None and value is not False and value != []}
