"""Personal data: e-mail and IP addresses, telephone, card and account numbers, keys and tokens.

One expression over the column finds the rows that may contain any; among these each kind's own expression finds its
candidates; only in these does Python look for the places and verify check digits and registries. `personal_kinds`
defines what counts.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.columns.rare import joined
from tuner.curation.columns.spans import free
from tuner.curation.detectors.personal_kinds import KINDS, Kind

NAMES: tuple[str, ...] = tuple(kind.name for kind in KINDS)
"""All kinds."""

_MASKS = {kind.name: kind.mask for kind in KINDS}
_LIKELY = "|".join(f"(?:{kind.likely})" for kind in KINDS)

Place = tuple[int, int, str]


def find(texts: pl.Series) -> pl.DataFrame:
    """Finds the places of personal data in a column of texts.

    Returns:
        One row for each place, sorted: `row` (its position in the column), `kind` (one of NAMES), `start` and `end`
        (characters of the text, end exclusive).
    """
    lines = [(row, kind, start, end) for row, places in _found(texts) for start, end, kind in places]
    schema = {"row": pl.Int64, "kind": pl.String, "start": pl.Int64, "end": pl.Int64}
    return pl.DataFrame(lines, schema=schema, orient="row")


def check(batch: Batch) -> Findings:
    """Looks for personal data in every message.

    Returns:
        The reason `personal_data`, and the score `personal_data_kinds`: the kinds found, joined by `, ` in
        order of occurrence, null if there are none.
    """
    kinds: dict[int, list[str]] = {}
    for message, places in _found(batch.messages.texts):
        kinds.setdefault(int(batch.messages.rows[message]), []).extend(kind for _, _, kind in places)
    flags = np.zeros(len(batch), np.bool_)
    flags[list(kinds)] = True
    return Findings(
        {"personal_data": flags}, {"personal_data_kinds": joined("personal_data_kinds", len(batch), kinds, ", ")}
    )


def redact(texts: pl.Series) -> pl.Series:
    """Replaces all personal data by the mask of their kind, such as `[EMAIL]`, until none are left.

    `redact(redact(x))` is `redact(x)`, and `check` finds nothing in it.
    """
    # A copy, since `scatter` works in place.
    texts, rows = texts.clone(), np.arange(len(texts))
    # Repeated, since a mask changes what surrounds a number, and that decides whether it counts.
    while rows.size:
        flagged = list(_found(texts.gather(rows)))
        rows = rows[[at for at, _ in flagged]]
        masked = [_masked(text, places) for text, (_, places) in zip(texts.gather(rows), flagged, strict=True)]
        texts = texts.scatter(rows, pl.Series(masked, dtype=pl.String))
    return texts


def _found(texts: pl.Series) -> Iterator[tuple[int, list[Place]]]:
    rows = _likely(texts, _LIKELY)
    rare = texts.gather(rows)
    places: dict[int, list[Place]] = {}
    for kind in KINDS:
        likely = _likely(rare, kind.exacter or kind.likely)
        for at, text in zip(likely.tolist(), rare.gather(likely), strict=True):
            places[at] = _with(kind, text, places.get(at, []))
    return ((int(rows[at]), places[at]) for at in sorted(places) if places[at])


def _likely(texts: pl.Series, pattern: str) -> NDArray[np.int64]:
    return np.flatnonzero(texts.str.contains(pattern).fill_null(False).to_numpy())


def _with(kind: Kind, text: str, taken: list[Place]) -> list[Place]:
    """The places taken in a text and those that another kind finds in the rest, sorted."""
    spans = free([(start, end) for start, end, _ in taken], kind.places(text))
    return sorted([*taken, *((start, end, kind.name) for start, end in spans)])


def _masked(text: str, places: list[Place]) -> str:
    pieces, at = [], 0
    for start, end, kind in places:
        pieces += [text[at:start], _MASKS[kind]]
        at = end
    return "".join([*pieces, text[at:]])
