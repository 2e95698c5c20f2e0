"""Writes the preference pairs: at most one for each instruction, on the side that the split gave it."""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuner import hashing
from tuner.artifacts import parquet
from tuner.curation.columns.text import normalise
from tuner.errors import InputError
from tuner.preference import candidates
from tuner.preference.metrics import Comparisons, Margins, Paired, Scored
from tuner.preference.pairing import REASONS, Reason, choose
from tuner.preference.settings import Preference
from tuner.rows import MESSAGES, TOOLS

ORIGIN = pa.struct(
    [
        ("candidate", pa.int32()),
        ("model", pa.string()),
        ("adapter", pa.string()),
        ("temperature", pa.float64()),
        ("seed", pa.int64()),
    ]
)
"""What drew an answer. `candidate` is its place among all of its instruction; `adapter` is empty if there was none."""

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("prompt", MESSAGES),
        ("chosen", MESSAGES),
        ("rejected", MESSAGES),
        ("score_chosen", pa.float64()),
        ("score_rejected", pa.float64()),
        ("margin", pa.float64()),
        ("chosen_from", ORIGIN),
        ("rejected_from", ORIGIN),
    ]
)
"""The columns of pairs; `tools` follows if the rows of the split have it. `chosen` and `rejected` are one message of
the assistant's each, the next one after `prompt`."""

LEFT_OUT = "left_out.parquet"

_LEFT_OUT = pa.schema(
    [
        ("row_id", pa.string()),
        ("side", pa.string()),
        ("reason", pa.string()),
        ("usable", pa.int32()),
        ("score_chosen", pa.float64()),
        ("score_rejected", pa.float64()),
    ]
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Shard:
    """The files of one shard.

    Attributes:
        candidates: `candidates.parquet` of each model.
        scores: `scores.parquet`.
    """

    candidates: Sequence[Path]
    scores: Path


def pair(
    sides: Mapping[str, Path], shards: Sequence[Shard], settings: Preference, scored: Sequence[Scored], folder: Path
) -> Paired:
    """Writes a file of pairs for each side, and `left_out.parquet`.

    Args:
        sides: The split's file of each side.
        shards: The candidates and scores of all instructions.
        settings: How pairs are made.
        scored: The metrics of the scores.
        folder: Where to write.

    Raises:
        InputError: If the first side, which is trained on, has no pair.
    """
    rows = {name: parquet.read(path) for name, path in sides.items()}
    places = {
        row_id: (name, place)
        for name, table in rows.items()
        for place, row_id in enumerate(table["row_id"].to_pylist())
    }
    found = {row["row_id"]: row for shard in shards for row in _chosen(shard, settings)}
    pairs: dict[str, list[Row]] = {name: [] for name in sides}
    left_out: list[Row] = []
    limited = _beyond(found, places, rows, settings)
    for row_id, (name, place) in places.items():
        row = found.get(row_id) or {"row_id": row_id, "reason": "few_candidates", **_NONE}
        if reason := row["reason"] or limited.get(row_id):
            left_out.append({**row, "side": name, "reason": reason})
        else:
            tools = {TOOLS: rows[name][TOOLS][place].as_py()} if TOOLS in rows[name].column_names else {}
            pairs[name].append({**row, "prompt": rows[name]["prompt"][place].as_py(), **tools})
    if not pairs[next(iter(sides))]:
        raise InputError(_none(places.keys(), found, left_out, settings))
    for name, table in rows.items():
        schema = SCHEMA.append(table.schema.field(TOOLS)) if TOOLS in table.column_names else SCHEMA
        parquet.write(pa.Table.from_pylist(pairs[name], schema=schema), folder / f"{name}.parquet")
    parquet.write(pa.Table.from_pylist(left_out, schema=_LEFT_OUT), folder / LEFT_OUT)
    return _measured(pairs, left_out, [each.comparisons for each in scored if each.comparisons])


_NONE: Row = {"usable": 0, "score_chosen": None, "score_rejected": None}


def _chosen(shard: Shard, settings: Preference) -> Iterator[Row]:
    """The pair of each instruction of a shard, or the reason why it has none."""
    scores: dict[str, list[Row]] = {}
    for score in parquet.read(shard.scores).to_pylist():
        scores.setdefault(score["row_id"], []).append(score)
    for row_id, group in candidates.gathered(shard.candidates).items():
        of = scores[row_id]
        values = [each["score"] for each in of]
        choice = choose(values, settings.rejected, settings.margin, [each["beaten"] for each in of])
        row: Row = {
            "row_id": row_id,
            "reason": choice.reason,
            **_NONE,
            "usable": sum(not each["unusable"] for each in of),
        }
        if choice.chosen is not None:
            row["score_chosen"] = values[choice.chosen]
        if choice.chosen is not None and choice.rejected is not None:
            row["score_rejected"] = values[choice.rejected]
            row["margin"] = values[choice.chosen] - values[choice.rejected]
            for name, place in (("chosen", choice.chosen), ("rejected", choice.rejected)):
                row[name] = [{"role": "assistant", "content": group[place]["response"]}]
                row[f"{name}_from"] = {**group[place], "candidate": place}
        yield row


def _beyond(
    found: Mapping[str, Row], places: Mapping[str, tuple[str, int]], rows: Mapping[str, pa.Table], settings: Preference
) -> dict[str, Reason]:
    """The rows that have a pair and are left out all the same: others have the same instruction, or there are too many.

    Which remain of too many is decided by a hash of their ids, so that they are spread over all sources.
    """
    beyond: dict[str, Reason] = {}
    seen: set[str] = set()
    paired = [row_id for row_id in places if row_id in found and found[row_id]["reason"] is None]
    for row_id in paired:
        name, place = places[row_id]
        said = "\n".join(normalise(message["content"]) for message in rows[name]["prompt"][place].as_py())
        if said in seen:
            beyond[row_id] = "repeated_instruction"
        seen.add(said)
    if settings.pairs is not None:
        ordered = sorted((row_id for row_id in paired if row_id not in beyond), key=hashing.of_text)
        beyond |= dict.fromkeys(ordered[settings.pairs :], "beyond_pairs")
    return beyond


def _none(wanted: Sequence[str] | Any, found: Mapping[str, Row], left_out: Sequence[Row], settings: Preference) -> str:
    """One line on why there are no pairs to train on, with how many there would be at lower margins."""
    counts = Counter(row["reason"] for row in left_out)
    listed = ", ".join(f"{counts[reason]:,} {reason}" for reason in REASONS if counts[reason])
    line = f"preference: 0 pairs to train on, of {len(wanted):,} instructions: {listed or 'all are held out'}"
    margins = sorted(
        (row["margin"] for row_id in wanted if (row := found.get(row_id)) and "margin" in row), reverse=True
    )
    if not margins or margins[0] >= settings.margin:
        return f"{line}. Draw more candidates or rows, or choose another scorer"
    steps = dict.fromkeys(margins[min(len(margins) - 1, round(share * len(margins)))] for share in (0, 0.25, 0.5, 1))
    at = ", ".join(f"{sum(margin >= step for margin in margins):,} at {_rounded(step)}" for step in steps)
    return f"{line}; preference.margin is {settings.margin:g}, and there would be {at}. Lower it"


def _rounded(margin: float) -> str:
    """A margin, rounded down to three digits, so that what is said of it holds."""
    digits = f"{margin:.2e}"
    return f"{float(digits) if float(digits) <= margin else margin * 0.995:.3g}"


def _measured(pairs: Mapping[str, list[Row]], left_out: Sequence[Row], compared: Sequence[Comparisons]) -> Paired:
    every = [row for rows in pairs.values() for row in rows]
    margins = [row["margin"] for row in every]
    sizes = {name: [len(row[name][0]["content"]) for row in every] for name in ("chosen", "rejected")}
    longer = sum(a > b for a, b in zip(sizes["chosen"], sizes["rejected"], strict=True))
    counts = Counter(row["reason"] for row in left_out)
    origins = {name: Counter(origin(row[f"{name}_from"]) for row in every) for name in sizes}
    return Paired(
        instructions=len(every) + len(left_out),
        pairs={name: len(rows) for name, rows in pairs.items()},
        left_out={reason: counts[reason] for reason in REASONS if counts[reason]},
        margins=Margins(
            mean=round(statistics.fmean(margins), 4),
            deviation=round(statistics.stdev(margins), 4) if len(margins) > 1 else None,
            lowest=round(min(margins), 4),
            median=round(statistics.median(margins), 4),
            highest=round(max(margins), 4),
        ),
        chosen_longer=round(longer / len(every), 4),
        chosen_characters=round(statistics.fmean(sizes["chosen"]), 1),
        rejected_characters=round(statistics.fmean(sizes["rejected"]), 1),
        origins={
            name: (origins["chosen"][name], origins["rejected"][name])
            for name in sorted(origins["chosen"] | origins["rejected"])
        },
        comparisons=sum(compared[1:], compared[0]) if compared else None,
    )


def origin(drawn_from: Mapping[str, Any]) -> str:
    """What drew an answer, in words, such as `owner/chat at 0.6`."""
    adapter = f" with {drawn_from['adapter']}" if drawn_from["adapter"] else ""
    model = str(drawn_from["model"])
    short = Path(model).name if model.startswith(("/", ".", "~")) else model
    return f"{short}{adapter} at {drawn_from['temperature']:g}"
