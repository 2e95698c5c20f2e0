"""The stage `split`: which kept rows train and which are held out.

The side is decided by a hash of the instruction's normalised text alone. So equal instructions never stand on both
sides, however often and however written; more rows move none that was placed; and a regeneration under another seed
does not train on what an earlier one held out.
"""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation.text import normalise
from tuner.errors import StageError
from tuner.recipe import Split

# Fewer rows have neither a batch nor an interval.
MIN_ROWS = 2

# Keeps the side independent of other uses of a hash of the same text. Changing it moves every row.
_SALT = "split/1\n"
_SIDES = ("train", "validation")


def split(curated: Path, split: Split, folder: Path) -> dict[str, Any]:
    """Writes `train.parquet` and `validation.parquet` from the kept rows.

    Args:
        curated: The `rows.parquet` that curation left.
        split: The share to hold out.
        folder: Where to write.

    Returns:
        `train` and `validation` (rows) and `instructions_on_both_sides`, counted from what was written.

    Raises:
        StageError: If either side would have fewer than 2 rows.
    """
    table = parquet.read(curated).select(["row_id", "messages", "instruction", "verdict", "reasons"])
    sides: dict[str, list[dict[str, Any]]] = {name: [] for name in _SIDES}
    for row in table.to_pylist():
        if row["verdict"] == "kept":
            sides[side(row["instruction"], split.validation)].append(row)
    if any(len(rows) < MIN_ROWS for rows in sides.values()):
        raise StageError(shortage(table, len(sides["train"]), len(sides["validation"])))
    messages = table.schema.field("messages").type
    for name, rows in sides.items():
        parquet.write(_examples(rows, messages), folder / f"{name}.parquet")
    train, validation = ({normalise(row["instruction"]) for row in sides[name]} for name in _SIDES)
    return {
        "train": len(sides["train"]),
        "validation": len(sides["validation"]),
        "instructions_on_both_sides": len(train & validation),
    }


def side(instruction: str, validation: float) -> str:
    """Where an instruction falls: `validation` with the given probability over instructions, else `train`."""
    digest = hashlib.sha256(f"{_SALT}{normalise(instruction)}".encode()).digest()
    return "validation" if int.from_bytes(digest[:8], "big") < validation * 2**64 else "train"


def shortage(table: pa.Table, train: int, validation: int) -> str:
    """Says in one line what came in, what was kept, and why the rest fell (by first reason, most frequent first).

    Args:
        table: The curated rows: `verdict` and `reasons`.
        train: Rows that would train.
        validation: Rows that would be held out.
    """
    fallen = Counter(reasons[0] for reasons in table.column("reasons").to_pylist() if reasons)
    # Equal counts by name, so that the line is the same in every run.
    counts = sorted(fallen.items(), key=lambda item: (-item[1], item[0]))
    why = ", ".join(f"{count:,} {reason}" for reason, count in counts) or "none"
    return (
        f"split: {train:,} rows for training and {validation:,} for validation, at least {MIN_ROWS} each are needed: "
        f"of {table.num_rows:,} rows {train + validation:,} were kept; rejected: {why}. Raise generation.rows, relax "
        "curation or change split.validation"
    )


def _examples(rows: list[dict[str, Any]], messages: pa.DataType) -> pa.Table:
    """Prompt and completion as training reads them: the last message is the assistant's."""
    return pa.table(
        {
            "row_id": pa.array([row["row_id"] for row in rows], pa.string()),
            "prompt": pa.array([row["messages"][:-1] for row in rows], messages),
            "completion": pa.array([row["messages"][-1:] for row in rows], messages),
            "messages": pa.array([row["messages"] for row in rows], messages),
        }
    )
