"""Cleaning: cuts and masks parts of texts before they are checked."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from tuner.curation import json_values
from tuner.curation.checks.safety import Safety
from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.columns.messages import Messages
from tuner.curation.detectors import form, personal_data, toxicity
from tuner.curation.settings import Curation
from tuner.curation.texts import BESIDE, CONTENTS, INSTRUCTION, RESPONSE
from tuner.rows import THOUGHTS, TOOLS

REDACT = {"toxic": toxicity.redact, "personal_data": personal_data.redact}
"""The function that masks what each reason finds."""


def clean(frame: pl.DataFrame, curation: Curation, beside: Sequence[str] = ()) -> tuple[Batch, Findings]:
    """Sanitizes and redacts the messages of a shard as the recipe says; both texts of a row follow from them.

    Args:
        frame: `messages`, `instruction_finish`, `response_finish`, and the columns beside.
        curation: What to clean.
        beside: Columns of texts that are kept beside the messages. What is masked in them is not written here, but by
            `mask_beside`.

    Returns:
        The rows with cleaned texts; and as findings the texts that changed, what was cut off, in which columns beside
        the messages something was masked, and in which rows (`toxic`, `personal_data`).
    """
    raw = Messages.read(frame["messages"])
    texts, cut = _sanitized(raw) if curation.form.sanitize else (raw.texts, _nulls(len(frame)))
    masked: dict[str, np.ndarray] = {}
    for reason in curation.safety.masking:
        before, texts = texts, REDACT[reason](texts)
        masked[reason] = raw.any((texts != before).to_numpy())
    messages = replace(raw, texts=texts)
    wanted = None if curation.language is None else curation.language.wanted
    thoughts = frame[THOUGHTS].fill_null("") if THOUGHTS in beside else None
    batch = Batch.of(messages, frame["instruction_finish"], frame["response_finish"], wanted, thoughts)
    changed = (texts != raw.texts).to_numpy()
    scores = {
        name: column.zip_with(pl.Series(raw.any(changed & raw.by(role)), dtype=pl.Boolean), _nulls(len(frame)))
        for name, role, column in ((INSTRUCTION, "user", batch.instruction), (RESPONSE, "assistant", batch.response))
    }
    scores |= {CONTENTS: messages.lists(raw.any(changed)), "sanitized_off": cut}
    if beside:
        hits = {name: _beside(frame[name], curation.safety) for name in beside}
        for reason, flags in masked.items():
            masked[reason] = np.logical_or.reduce([flags, *(rows[reason] for rows in hits.values())])
        places = {name: np.logical_or.reduce([*rows.values()]) for name, rows in hits.items() if rows}
        lists = [[name for name, rows in places.items() if rows[row]] or None for row in range(len(frame))]
        scores[BESIDE] = pl.Series(lists, dtype=pl.List(pl.String))
    return batch, Findings(masked, scores)


def mask_beside(texts: pl.Series, safety: Safety) -> pl.Series:
    """The texts of a column beside the messages as they are kept."""
    for reason in safety.masking_beside:
        texts = _masked(texts, reason)
    return texts


def _beside(texts: pl.Series, safety: Safety) -> dict[str, np.ndarray]:
    """The rows of a column beside the messages in which something is masked, by reason."""
    rows = {}
    for reason in safety.masking_beside:
        before, texts = texts, _masked(texts, reason)
        rows[reason] = (texts != before).fill_null(False).to_numpy()
    return rows


def _masked(texts: pl.Series, reason: str) -> pl.Series:
    return json_values.masked(texts, REDACT[reason]) if texts.name == TOOLS else REDACT[reason](texts)


def _sanitized(messages: Messages) -> tuple[pl.Series, pl.Series]:
    """The texts of messages with the instructions cut, and what was cut off of each row.

    A conversation of several turns is left as it is: a cut could take whole turns away.
    """
    places = np.flatnonzero(messages.by("user") & messages.singles[messages.rows])
    shortened, removed = form.sanitize(messages.texts.gather(places))
    # A copy, since `scatter` works in place.
    return (
        messages.texts.clone().scatter(places, shortened),
        _nulls(messages.offsets.size - 1).scatter(messages.rows[places], removed),
    )


def _nulls(size: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, size)
