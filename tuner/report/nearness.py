"""How near rejected rows were to the line: a measured number beside its limit, or the part of the text that was found.

Rows close to the line and far beyond it, side by side, show at once whether a rule is wrong for somebody's data.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tuner.curation.reasons import CHECK_OF, LOOSENED, REASONS
from tuner.curation.settings import CHECKS, Curation
from tuner.report.clusters import beginning
from tuner.report.curated import Curated, Positions, Row
from tuner.report.why import details_of
from tuner.report.wording import count, finite, percent

SHOWN = 3
"""Rows shown for each reason: the nearest to the line, one in the middle, and the farthest."""

OFTEN = 0.1
"""A reason that rejects a larger share of the rows gets a hint."""

UNMEASURED = "no measure"

_CHARACTERS = 160
_MOST_PIECES = 60
_PIECE = re.compile(r"[^\n.!?。!?]+(?:[.!?。!?]+|\n|\Z)\s*|[.!?。!?]+\s*")
_FILLER = "The meeting begins at nine in the morning, and everyone brings a cup of tea."


@dataclass(frozen=True)
class Line:
    """The limit that a reason sets to a measured column.

    Attributes:
        column: The column.
        axis: What its numbers are.
        limit: Where the line is.
    """

    column: str
    axis: str
    limit: float

    def said(self, row: Row) -> str:
        """What was measured in a row, and the limit; empty if nothing was measured."""
        value = finite(row.get(self.column))
        return "" if value is None else f"{self.axis}: {_figure(value)}, the line is at {_figure(self.limit)}"


@dataclass(frozen=True)
class Taken:
    """What a reason took.

    Attributes:
        reason: The reason.
        rows: Rows that it rejects.
        loosened: The settings that loosen it, such as `curation.form.response_words`.
        examples: Some of its rows, the nearest to the line first: `id`, `near`, `instruction` and `response`.
        positions: Where these rows are.
    """

    reason: str
    rows: int
    loosened: str
    examples: tuple[dict[str, str], ...]
    positions: tuple[int, ...]


def lines(curation: Curation) -> dict[str, Line]:
    """The lines of all reasons that measure something, by reason."""
    found: dict[str, Line] = {}
    for name, check in CHECKS.items():
        if section := getattr(curation, name):
            for score in check.scores:
                limits = score.limits(section).values()
                found |= {
                    reason: Line(score.column, score.axis, limit)
                    for limit, reason in zip(limits, score.took.values(), strict=False)
                }
    for kind, axis in (("near", "Jaccard"), ("semantic", "cosine")):
        if how := getattr(curation.duplicates, kind):
            found[f"{kind}_duplicate"] = Line("similarity", f"{axis} similarity to the better row", how.similarity)
    return found


def taken(curated: Curated, curation: Curation) -> tuple[Taken, ...]:
    """Three rows of every reason that rejects any, of those that nothing else rejects if these are enough.

    Args:
        curated: The rows.
        curation: The settings under which they were curated.
    """
    known = lines(curation)
    number_of = np.zeros(len(curated), np.int64)
    for positions in curated.reasons.values():
        number_of[positions] += 1
    chosen = {
        reason: _chosen(
            alone if (alone := positions[number_of[positions] == 1]).size >= SHOWN else positions, line, curated
        )
        for reason, positions in curated.reasons.items()
        if reason in REASONS
        for line in [known.get(reason)]
    }
    rows = curated.rows(sorted({position for positions in chosen.values() for position in positions}))
    cases = [(rows[position], reason) for reason, positions in chosen.items() for position in positions]
    said = iter(near(cases, curation))
    return tuple(
        Taken(
            reason,
            curated.reasons[reason].size,
            loosened(reason),
            tuple(
                {
                    "id": rows[position]["row_id"],
                    "near": next(said),
                    "instruction": beginning(rows[position].get("instruction")),
                    "response": beginning(rows[position].get("response")),
                }
                for position in positions
            ),
            tuple(positions),
        )
        for reason, positions in chosen.items()
    )


def near(cases: Sequence[tuple[Row, str]], curation: Curation) -> list[str]:
    """For each row and one of its reasons, how near it was to the line, in words.

    Args:
        cases: Rows as `Curated.rows` reads them, each with a reason.
        curation: The settings under which they were curated.
    """
    known = lines(curation)
    said = [_said(row, reason, known.get(reason)) for row, reason in cases]
    missing = [at for at, text in enumerate(said) if not text and cases[at][1] not in known]
    for at, text in zip(missing, _excerpts([cases[at] for at in missing], curation), strict=True):
        said[at] = text and f"found: {text}"
    return [text or UNMEASURED for text in said]


def loosened(reason: str) -> str:
    """The settings that loosen a reason, in words."""
    return " or ".join(f"curation.{setting}" for setting in LOOSENED[reason])


def hints(reasons: Mapping[str, int], rows: int, curation: Curation) -> list[str]:
    """A line for each reason that rejects more than a tenth of the rows, with the setting that loosens it.

    Args:
        reasons: Rows that each reason rejects.
        rows: All rows.
        curation: The settings under which they were curated.
    """
    often = sorted(((number, reason) for reason, number in reasons.items() if number > OFTEN * rows), reverse=True)
    return [
        f"{reason} rejects {count(number)} rows ({percent(number / rows)}): {loosened(reason)} loosens it, now "
        + " and ".join(setting_in(curation, setting) for setting in LOOSENED[reason])
        for number, reason in often
    ]


def setting_in(curation: Curation, setting: str) -> str:
    """The value of a setting below `curation`, as YAML has it."""
    value: Any = curation.model_dump(mode="json")
    for key in setting.split("."):
        value = None if value is None else value[key]
    return json.dumps(value)


def _chosen(positions: Positions, line: Line | None, curated: Curated) -> list[int]:
    """The nearest to the line, the one in the middle and the farthest; without a line spread evenly."""
    if line and (values := curated.scores.get(line.column)) is not None:
        distances = np.nan_to_num(np.abs(values[positions] - line.limit), nan=np.inf)
        positions = positions[np.argsort(distances, kind="stable")]
    places = np.unique(np.linspace(0, positions.size - 1, min(SHOWN, positions.size)).round().astype(np.int64))
    return positions[places].tolist()


def _said(row: Row, reason: str, line: Line | None) -> str:
    better = row.get("duplicate_of")
    if reason == "duplicate":
        return f"equal to row {better}" if better else ""
    parts = [measured] if line and (measured := line.said(row)) else []
    if reason.endswith("_duplicate"):
        return "; ".join([*parts, *([f"the better row is {better}"] if better else [])])
    if not line or CHECKS[CHECK_OF[reason]].scores[0].labels:
        parts += [f"{name}: {text}" for name, text in details_of(row, reason)]
    return "; ".join(parts)


def _figure(value: float) -> str:
    return count(value) if float(value).is_integer() and abs(value) >= 2 else f"{value:.3g}"


def _excerpts(cases: Sequence[tuple[Row, str]], curation: Curation) -> list[str]:
    """The sentence or line that a check objects to: without it the row passes, or it alone has the reason.

    Found by asking the check again, so that no check has to say where it found something; empty if no single part of
    the texts is to blame.
    """
    found = [""] * len(cases)
    by_check: dict[str, list[int]] = {}
    for at, (_, reason) in enumerate(cases):
        if reason in CHECKS[CHECK_OF[reason]].reasons:
            by_check.setdefault(CHECK_OF[reason], []).append(at)
    for name, numbers in by_check.items():
        for at, text in zip(numbers, _asked_again(name, [cases[at] for at in numbers], curation), strict=True):
            found[at] = text
    return found


def _asked_again(name: str, cases: Sequence[tuple[Row, str]], curation: Curation) -> list[str]:
    from tuner.curation.cleaning import clean

    variants: list[tuple[str, str]] = []
    parts: list[list[tuple[str, str, int]]] = []
    for row, _ in cases:
        texts = {column: row.get(column) or "" for column in ("instruction", "response")}
        parts.append([])
        for column, text in texts.items():
            for piece in list(_PIECE.finditer(text))[:_MOST_PIECES]:
                parts[-1].append((column, piece[0].strip(), len(variants)))
                replaced = f"{text[: piece.start()]}{_FILLER} {text[piece.end() :]}"
                for changed in (texts | {column: piece[0]}, texts | {column: replaced}):
                    variants.append((changed["instruction"], changed["response"]))
    if not variants:
        return [""] * len(cases)
    messages = [
        [{"role": "user", "content": asked}, {"role": "assistant", "content": said}] for asked, said in variants
    ]
    frame = pl.DataFrame(
        {
            "row_id": [str(number) for number in range(len(variants))],
            "instruction": [asked for asked, _ in variants],
            "response": [said for _, said in variants],
            "messages": messages,
            **dict.fromkeys(("instruction_finish", "response_finish"), pl.Series(["stop"] * len(variants))),
        }
    )
    flags = getattr(curation, name).find(clean(frame, curation)[0], {}).reasons
    return [
        _to_blame(pieces, flags[reason]) if reason in flags else ""
        for (_, reason), pieces in zip(cases, parts, strict=True)
    ]


def _to_blame(pieces: Sequence[tuple[str, str, int]], flags: np.ndarray) -> str:
    """Of pieces, each with its column and the place of its two variants, the one that has the reason."""
    stops = [piece for piece in pieces if not flags[piece[2] + 1]]
    alone = [piece for piece in pieces if flags[piece[2]]]
    # Where every piece of a text has the reason by itself, the other text is what the check objects to.
    idle = {column for column, _, _ in pieces} - {column for column, _, place in pieces if not flags[place]}
    both = [piece for piece in stops if flags[piece[2]]]
    for column, text, _ in both or stops or [piece for piece in alone if piece[0] not in idle]:
        shown = text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS].rstrip()} […]"
        return f'"{" ".join(shown.split())}" in the {column}'
    return ""
