"""The rows that the page lets one leaf through: an even choice over what was kept and every reason to reject."""

import json
from collections.abc import Mapping
from typing import Any

from tuner.report.contents import Contents
from tuner.report.wording import finite, plain

MOST_ROWS = 400
MOST_CHARACTERS = 1500

_COLUMNS = ["row_id", "verdict", "reasons", "quality", "instruction", "response", "duplicate_of"]


def chosen_rows(contents: Contents) -> list[dict[str, Any]]:
    """The rows to show, in their order of generation, long texts cut.

    Args:
        contents: What the report is made of.

    Returns:
        At most `MOST_ROWS` rows: each reason, and `kept`, gets the same number of places, and what one does not need
        goes to the others.
    """
    groups: dict[str, list[int]] = {}
    verdicts, reasons = contents.rows["verdict"].to_pylist(), contents.rows["reasons"].to_pylist()
    for index, (verdict, why) in enumerate(zip(verdicts, reasons, strict=True)):
        groups.setdefault(why[0] if verdict == "rejected" and why else verdict, []).append(index)
    places = _shared({name: len(indices) for name, indices in groups.items()}, MOST_ROWS)
    chosen = sorted(index for name, indices in groups.items() for index in _spread(indices, places[name]))
    return [_row(row) for row in contents.rows.select(_COLUMNS).take(chosen).to_pylist()]


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


def _shared(wanted: Mapping[str, int], places: int) -> dict[str, int]:
    """Shares places out evenly, smallest wish first, so that what is not wanted is left to the rest."""
    given = {}
    for position, (name, size) in enumerate(sorted(wanted.items(), key=lambda item: item[1])):
        given[name] = min(size, places // (len(wanted) - position))
        places -= given[name]
    return given


def _spread(indices: list[int], places: int) -> list[int]:
    return [indices[place * len(indices) // places] for place in range(places)]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    quality = finite(row["quality"])
    return {
        "id": row["row_id"],
        "verdict": row["verdict"],
        "reasons": [plain(reason) for reason in row["reasons"] or []],
        "quality": None if quality is None else round(quality, 3),
        "instruction": cut(row["instruction"]),
        "response": cut(row["response"]),
        "twin": row["duplicate_of"],
    }
