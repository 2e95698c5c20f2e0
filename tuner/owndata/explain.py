"""Why curation kept or rejected a row of one's own data: `reasons.md`, and `tuner curate --explain ROW`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from tuner.curation.reasons import CHECK_OF, REASONS
from tuner.curation.settings import CHECKS, Curation
from tuner.errors import InputError
from tuner.export import sections
from tuner.report import curated, nearness
from tuner.report.curated import Row
from tuner.report.wording import percent, rows_of

SETTINGS, TAKEN = "settings.json", "reasons.md"

_NUMBER = re.compile(r"(?:(?P<file>.+):)?(?:(?:line|row)-)?(?P<number>\d+)")
_HEADER = ("check", "decision", "reason", "measured or found")


def leave(folder: Path, curation: Curation) -> None:
    """Writes what explains the rows of a curated folder: its settings, and three rows of every reason.

    Args:
        folder: The folder, with `rows/`.
        curation: The settings under which it was curated.
    """
    (folder / SETTINGS).write_text(curation.model_dump_json(indent=2), encoding="utf-8")
    read = curated.read(sorted((folder / "rows").glob("*.parquet")))
    text = [
        "# Rows that each reason took",
        "",
        "Where something is measured: the nearest to the line, one in the middle, and the farthest. "
        "`tuner curate FOLDER --explain ROW` shows all that the checks say of a row.",
    ]
    for each in nearness.taken(read, curation):
        text += [
            "",
            f"## {each.reason}: {rows_of(each.rows)} ({percent(each.rows / len(read))})",
            "",
            f"{REASONS[each.reason][0].upper()}{REASONS[each.reason][1:]}. Loosened by {sections.code(each.loosened)}.",
            "",
            *sections.table(
                ["row", "how near", "instruction", "response"],
                [
                    [sections.cell(row[key]) for key in ("id", "near", "instruction", "response")]
                    for row in each.examples
                ],
            ),
        ]
    (folder / TAKEN).write_text("\n".join([*text, ""]), encoding="utf-8")


def explain(folder: Path, row: str) -> str:
    """What every check measured in a row, its limit, and what it decided.

    Args:
        folder: A curated folder.
        row: A row_id, or the number of a line or row of the file, of several files as `FILE:NUMBER`.

    Raises:
        InputError: If the folder is not one of `tuner curate`, or has no such row.
    """
    try:
        curation = Curation.model_validate_json((folder / SETTINGS).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        raise InputError(f"{folder}: no folder that this version of `tuner curate` has written") from None
    found = _find(folder, row)
    if isinstance(found, str):
        return found
    reasons = ", ".join(found["reasons"] or [])
    lines = [f"row {found['row_id']}: {found['verdict']}{f' for {reasons}' if reasons else ''}", ""]
    lines += [f"{name:12} {found[name] or '(empty)'}" for name in ("instruction", "response")]
    table = [_HEADER, *_decisions(found, curation)]
    widths = [max(len(line[place]) for line in table) for place in range(len(_HEADER))]
    return "\n".join(
        [
            *lines,
            "",
            *(
                "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                for line in table
            ),
        ]
    )


def _decisions(row: Row, curation: Curation) -> Iterator[tuple[str, str, str, str]]:
    """A line for each reason that decided or measures something, and one for the others of its check."""
    off, lines = curation.off(), nearness.lines(curation)
    rejects, noted = row["reasons"] or [], [*(row["reasons"] or []), *(row["marks"] or [])]
    said = dict(zip(noted, nearness.near([(row, reason) for reason in noted], curation), strict=True))
    compared = all(reason in CHECKS[CHECK_OF[reason]].choices for reason in rejects)
    for name, check in CHECKS.items():
        quiet: dict[tuple[str, str], list[str]] = {}
        for reason in (*check.reasons, *check.choices):
            if reason in rejects:
                yield name, "rejects", reason, f"{said[reason]}; loosened by {nearness.loosened(reason)}"
            elif reason in noted:
                yield name, "only recorded", reason, said[reason]
            elif reason in off:
                quiet.setdefault(("off", off[reason]), []).append(reason)
            elif reason in check.choices and not compared:
                quiet.setdefault(("not asked", "the row was rejected before"), []).append(reason)
            elif reason in check.reasons and reason in lines:
                yield name, "passes", reason, lines[reason].said(row) or nearness.UNMEASURED
            else:
                quiet.setdefault(("passes", nearness.UNMEASURED), []).append(reason)
        for (decision, why), reasons in quiet.items():
            yield from ((name, decision, reason, why) for reason in reasons)


def _find(folder: Path, row: str) -> Row | str:
    """The row; or, of one that was set aside, why it was."""
    ids = pl.scan_parquet(sorted((folder / "rows").glob("*.parquet")), glob=False).with_row_index("position")
    if found := _first(ids, pl.col("row_id") == row):
        return found
    if parts := _NUMBER.fullmatch(row):
        file, number = parts["file"], int(parts["number"])
        aside = _set_aside(folder)
        if (file, number) in aside:
            return f"row {row} was set aside and not curated: {aside[file, number]}"
        place = f"{file}:" if file else ""
        if found := _first(ids, pl.col("row_id").is_in([f"{place}{unit}-{number:09}" for unit in ("line", "row")])):
            return found
        source = json.loads((folder / "curation.json").read_text(encoding="utf-8"))["source"]
        # The names of rows do not tell where a file ends, so a number finds a named row of a single file only.
        if source["ids"] and not file and len(source["files"]) == 1:
            position = number - 1 - sum(other < number for _, other in aside)
            if position >= 0 and (found := _first(ids, pl.col("position") == position)):
                return found
    raise InputError(
        f"--explain {row}: {folder} has no such row; give a row_id, or the number of a row of the file; "
        "of several files FILE:NUMBER"
    )


def _first(rows: pl.LazyFrame, condition: pl.Expr) -> dict[str, Any] | None:
    return next(iter(rows.filter(condition).head(1).collect().to_dicts()), None)


def _set_aside(folder: Path) -> dict[tuple[str | None, int], str]:
    """Why each row was set aside, by its file (None if there is only one) and its number."""
    file = folder / "set_aside.jsonl"
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines()) if file.exists() else ()
    return {
        (line.get("file"), number): line["reason"]
        for line in lines
        for key in ("line", "row")
        if (number := line.get(key)) is not None
    }
