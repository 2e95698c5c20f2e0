"""The histograms of the scores, with the recipe's limits and a sentence on how many rows each limit rejected.

A limit that rejected no row is reported too: the first run of this project had one that never could, unnoticed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.curation.check import Check
from tuner.curation.check import Score as Measure
from tuner.curation.metrics import Curated as Counted
from tuner.curation.settings import CHECKS, Curation
from tuner.report import histograms
from tuner.report.curated import Curated
from tuner.report.histograms import Histogram
from tuner.report.wording import count, listed, number, percent, rows_of

BEYOND = 3.0
"""Larger ratios to a limit are counted in the last bar, since a few would stretch the axis."""

_LABELS = 6

_TEXTS = {"instruction": "the instructions", "response": "the responses", "both": "both texts as one"}


@dataclass(frozen=True)
class Limit:
    """A line in the histogram.

    Attributes:
        value: Its place on the axis.
        text: Its label.
    """

    value: float
    text: str


@dataclass(frozen=True)
class Score:
    """A histogram with its title and text.

    Attributes:
        key: Its name.
        title: Its title.
        axis: The label of its axis.
        histogram: The counts.
        limits: The recipe's limits.
        words: How many rows the limits rejected, in sentences.
    """

    key: str
    title: str
    axis: str
    histogram: Histogram
    limits: tuple[Limit, ...]
    words: str


@dataclass(frozen=True)
class _Data:
    """The data of all histograms."""

    curated: Curated
    counted: Counted
    curation: Curation


def scores(curated: Curated, counted: Counted, curation: Curation) -> tuple[tuple[Score, ...], tuple[str, ...]]:
    """The histograms, and for each score that cannot be drawn a sentence that says why.

    Args:
        curated: The rows.
        counted: The metrics of curation.
        curation: The recipe's limits.
    """
    data = _Data(curated, counted, curation)
    off = curation.off()
    results = [
        _score(data, getattr(curation, name), measure, off.get(next(iter(measure.took.values()))))
        for name, check in CHECKS.items()
        for measure in check.scores
    ]
    results += [_near(data), _semantic(data)]
    drawn = tuple(result for result in results if isinstance(result, Score))
    return drawn, tuple(result for result in results if isinstance(result, str))


def _score(data: _Data, section: Check | None, measure: Measure, off: str | None) -> Score | str:
    """The histogram of a score of a check, or why there is none."""
    if section is None or (off and measure.column not in data.curated.scores):
        return f"{measure.title}: not measured, since curation.{off}."
    measured = _measured(data, measure.column, measure.title)
    if isinstance(measured, str):
        return measured
    values, kept = measured
    limits = tuple(Limit(value, text) for text, value in measure.limits(section).items())
    bounds = [limit.value for limit in limits]
    sentences = [_effect(data, reason, limit) for limit, reason in measure.took.items()]
    if wanted := measure.wanted(section):
        sentences.insert(0, wanted)
    match measure.scale:
        case "from 0":
            histogram = histograms.linear(values, kept, 0.0, float(values.max()), bounds)
        case "to 1":
            # Scores end at 1; at least one bar lies below it.
            histogram = histograms.linear(values, kept, min(float(values.min()), 0.95), 1.0, bounds)
            below = int(np.count_nonzero(values < min(bounds)))
            if below and measure.below:
                sentences.append(f"{rows_of(below).capitalize()} {measure.below}.")
            elif not below and not measure.below:
                sentences.append(f"The lowest score is {number(float(values.min()))}.")
        case "count":
            # Counts spread over three orders of magnitude; empty texts do not fit on the axis.
            present = values >= 1
            if empty := int(np.count_nonzero(~present)):
                sentences.append(f"{count(empty)} empty, not shown.")
            histogram = histograms.logarithmic(values[present], kept[present], (bounds[0], bounds[-1]))
        case "ratio":
            positive = values > 0
            if not positive.any():
                return f"{measure.title}: no repetition in the {rows_of(values.size)} measured."
            if unrepeated := int(np.count_nonzero(~positive)):
                sentences.append(f"{count(unrepeated)} without repetition, not shown.")
            if beyond := int(np.count_nonzero(values > BEYOND)):
                sentences.append(f"The last bar includes {count(beyond)} above {BEYOND:g}.")
            most = min(float(values.max()), BEYOND)
            histogram = histograms.linear(values[positive], kept[positive], 0.0, most, bounds)
    labels = data.curated.labels.get(measure.labels, {})
    if judged := sum(labels.values()):
        shares = (f"{name} {percent(rows / judged)}" for name, rows in list(labels.items())[:_LABELS])
        sentences.append(f"Detected: {', '.join(shares)}.")
    return Score(measure.column, measure.title, measure.axis, histogram, limits, " ".join(sentences))


def _near(data: _Data) -> Score | str:
    near = data.curation.duplicates.near
    if near is None:
        return _similarity(data, "near", "", None)
    compared = listed([_TEXTS[text] for text in near.on])
    sentence = f"Compared: {compared}{'; the larger similarity counts' if len(near.on) > 1 else ''}."
    return _similarity(data, "near", "Jaccard similarity to the better row", near.similarity, sentence)


def _semantic(data: _Data) -> Score | str:
    semantic = data.curation.duplicates.semantic
    if semantic is None:
        return _similarity(data, "semantic", "", None)
    compared = f"Compared: {_TEXTS[semantic.on]}."
    return _similarity(data, "semantic", "cosine similarity to the better row", semantic.similarity, compared)


def _similarity(data: _Data, kind: str, axis: str, least: float | None, compared: str = "") -> Score | str:
    title = f"Similarity of {kind} duplicates"
    if least is None:
        return f"{title}: not searched for, since duplicates.{kind} is null."
    rows = data.curated.with_reason(f"{kind}_duplicate")
    if not rows.size:
        return f"{title}: the search found none."
    if "similarity" not in data.curated.scores:
        return f"{title}: the rows have no column similarity."
    values = data.curated.scores["similarity"][rows]
    known = np.isfinite(values)
    values, kept = values[known], data.curated.kept[rows][known]
    words = f"{rows_of(rows.size).capitalize()} lost to a better one. {compared}"
    if chained := int(np.count_nonzero(values < least)):
        words += f" {rows_of(chained).capitalize()} below the threshold: linked to the better one through other rows."
    histogram = histograms.linear(values, kept, float(values.min(initial=least)) - 0.05, 1.0, [least])
    return Score(f"{kind}_similarity", title, axis, histogram, (Limit(least, f"least {least:g}"),), words)


def _measured(data: _Data, column: str, title: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | str:
    """The finite values of a column and which of their rows were kept, or why there are none."""
    values = data.curated.scores.get(column)
    if values is None:
        return f"{title}: the rows have no column {column}."
    known = np.isfinite(values)
    if not known.any():
        return f"{title}: no row has one."
    return values[known], data.curated.kept[known]


def _effect(data: _Data, reason: str, limit: str) -> str:
    """How many rows a limit rejected, even if none, as a sentence."""
    rejected, marked = data.counted.reasons[reason], data.counted.marks[reason]
    if marked and not rejected:
        return f"{limit} marked {rows_of(marked)} and rejected none, since the recipe ignores it."
    share = f" ({percent(rejected / data.counted.rows)})" if rejected else ""
    return f"{limit} rejected {rows_of(rejected)}{share}."
