"""The comparison of base and adapters: one set of measures, as a table, as JSON and as CSV."""

import csv
import io
from typing import Any

from tuner.report.contents import BASE, Contents
from tuner.report.measures import Cell, Measure, cell, measures, speed
from tuner.report.verdict import Verdict
from tuner.report.wording import span


def table(contents: Contents) -> dict[str, Any]:
    """The table as data for the page's template: groups of rows, and the footnotes that explain empty cells."""
    notes: list[str] = []
    groups: dict[str, list[dict[str, Any]]] = {}
    for measure in measures(contents):
        cells = []
        for name in contents.subjects:
            shown = measure.cells[name]
            if shown.reason and shown.reason not in notes:
                notes.append(shown.reason)
            note = notes.index(shown.reason) + 1 if shown.reason else None
            cells.append({"text": measure.formatted(shown.estimate), "span": span(shown.estimate), "note": note})
        groups.setdefault(measure.group, []).append({"label": measure.label, "cells": cells})
    return {"groups": groups, "notes": notes}


def as_json(contents: Contents, verdict: Verdict) -> dict[str, Any]:
    """The raw numbers with units and intervals, and the artifacts behind them."""
    compared = measures(contents)
    return {
        "recipe": contents.recipe.name,
        "verdict": list(verdict.lines),
        "winner": verdict.winner,
        "held_out": {"rows": contents.held_out_rows, "tokens": contents.held_out_tokens},
        "precision": contents.precision,
        "intervals": {
            "coverage": 0.95,
            "method": "Student's t, linearised ratio over rows, effective degrees of freedom",
        },
        "subjects": {
            name: {measure.key: _raw(measure.cells[name], measure.unit) for measure in compared}
            for name in contents.subjects
        },
        "differences": [
            {"a": entry.a, "b": entry.b, "difference": _raw(cell(entry.estimate), "nats per token"), "p": entry.p}
            for entry in contents.differences
        ],
        "speed": [
            {
                "subject": entry.subject,
                "merged": entry.merged,
                "batch_size": entry.batch_size,
                "new_tokens": entry.new_tokens,
                "tokens_per_second": _raw(cell(entry.tokens_per_second), "tokens/s"),
            }
            for entry in contents.speed
        ],
        "curation": contents.curation.model_dump(mode="json"),
        "split": contents.split.model_dump(mode="json"),
        **({"preference": contents.pairs.metrics.model_dump(mode="json")} if contents.pairs else {}),
        "artifacts": [
            {"label": label, "stage": manifest.stage, "version": manifest.version, "fingerprint": manifest.fingerprint}
            for label, manifest in contents.artifacts
        ],
    }


def as_csv(contents: Contents) -> str:
    """One row per subject; the first columns have the names that the project's first run used.

    Inference columns are of the smallest batch size that was timed; the JSON has all.
    """
    smallest = min((entry.batch_size for entry in contents.speed), default=None)
    by_key = {measure.key: measure for measure in measures(contents)}
    rows = []
    for name in contents.subjects:
        row: dict[str, Any] = {"subject": name, "method": contents.training[name].method if name != BASE else BASE}
        row |= _scaled(by_key, name, _FIRST_COLUMNS)
        row["inference_tokens_per_sec"] = speed(contents, name, False, smallest).value
        row["inference_tokens_per_sec_merged"] = speed(contents, name, True, smallest).value
        row["inference_batch_size"] = smallest
        row |= _scaled(by_key, name, _COLUMNS)
        for column, estimate in (
            ("held_out_loss", contents.losses[name]),
            ("difference_to_base", by_key["difference_to_base"].cells[name].estimate),
        ):
            row |= {column: estimate.value, f"{column}_low": estimate.low, f"{column}_high": estimate.high}
        rows.append(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


_FIRST_COLUMNS = (
    ("trainable_params", "trainable_parameters", 1),
    ("total_params", "total_parameters", 1),
    ("trainable_ratio_percent", "trainable_ratio", 0.01),
    ("peak_memory_gb", "peak_memory", 1e9),
    ("training_time_hours", "training_seconds", 3600),
)

_COLUMNS = (
    ("training_steps", "steps", 1),
    ("train_loss", "train_loss", 1),
    ("training_tokens_per_sec", "training_tokens_per_second", 1),
    ("adapter_mb", "adapter_bytes", 1e6),
    ("rows_better_than_base", "rows_better_than_base", 1),
)


def _scaled(
    by_key: dict[str, Measure], subject: str, columns: tuple[tuple[str, str, float], ...]
) -> dict[str, float | None]:
    values = {column: (by_key[key].value(subject), scale) for column, key, scale in columns}
    return {
        column: value if value is None or scale == 1 else value / scale for column, (value, scale) in values.items()
    }


def _raw(of: Cell, unit: str) -> dict[str, Any]:
    raw: dict[str, Any] = {"value": of.estimate.value, "unit": unit}
    if of.estimate.low is not None:
        raw |= {"low": of.estimate.low, "high": of.estimate.high}
    if of.reason:
        raw["reason"] = of.reason
    return raw
