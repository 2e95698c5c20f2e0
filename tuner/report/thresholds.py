"""Which scores are drawn, which limits the recipe sets them, and in words what each limit took.

A limit that took no row is said to have taken none: the first run of this project had one that could not bite, and
nothing showed it.
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
"""Ratios to a limit that are larger are counted in the last bar: a few would stretch the axis."""

_LABELS = 6

_TEXTS = {"instruction": "the instructions", "response": "the responses", "both": "both texts as one"}


@dataclass(frozen=True)
class Limit:
    """A line in the histogram.

    Attributes:
        value: Where.
        text: What it is called.
    """

    value: float
    text: str


@dataclass(frozen=True)
class Score:
    """One histogram with what is said of it.

    Attributes:
        key: Its name.
        title: What it shows.
        axis: What its numbers are.
        histogram: The counts.
        limits: The recipe's limits.
        words: What the limits took, in sentences.
    """

    key: str
    title: str
    axis: str
    histogram: Histogram
    limits: tuple[Limit, ...]
    words: str


@dataclass(frozen=True)
class _Judged:
    """What a histogram is made from."""

    curated: Curated
    counted: Counted
    curation: Curation


def scores(curated: Curated, counted: Counted, curation: Curation) -> tuple[tuple[Score, ...], tuple[str, ...]]:
    """The histograms there can be, and for each there cannot be, a sentence that says why.

    Args:
        curated: The rows.
        counted: What curation counted.
        curation: The recipe's limits.
    """
    given = _Judged(curated, counted, curation)
    off = curation.off()
    made = [
        _drawn(given, getattr(curation, name), measure, off.get(next(iter(measure.took.values()))))
        for name, check in CHECKS.items()
        for measure in check.scores
    ]
    made += [_near(given), _semantic(given)]
    drawn = tuple(each for each in made if isinstance(each, Score))
    return drawn, tuple(each for each in made if isinstance(each, str))


def _drawn(given: _Judged, section: Check | None, measure: Measure, off: str | None) -> Score | str:
    """One score of a check, or why there is none."""
    if section is None or (off and measure.column not in given.curated.scores):
        return f"{measure.title}: not measured, since curation.{off}."
    found = _measured(given, measure.column, measure.title)
    if isinstance(found, str):
        return found
    values, kept = found
    limits = tuple(Limit(value, text) for text, value in measure.limits(section).items())
    bounds = [limit.value for limit in limits]
    said = [_took(given, reason, what) for what, reason in measure.took.items()]
    if wanted := measure.wanted(section):
        said.insert(0, wanted)
    match measure.scale:
        case "from 0":
            histogram = histograms.linear(values, kept, 0.0, float(values.max()), bounds)
        case "to 1":
            # At least one bar is left below 1, where the scores end.
            histogram = histograms.linear(values, kept, min(float(values.min()), 0.95), 1.0, bounds)
            below = int(np.count_nonzero(values < min(bounds)))
            if below and measure.below:
                said.append(f"{rows_of(below).capitalize()} {measure.below}.")
            elif not below and not measure.below:
                said.append(f"The lowest score is {number(float(values.min()))}.")
        case "count":
            # They spread over three orders of magnitude; empty texts have no place on the axis.
            present = values >= 1
            if empty := int(np.count_nonzero(~present)):
                said.append(f"{count(empty)} empty, not drawn.")
            histogram = histograms.logarithmic(values[present], kept[present], (bounds[0], bounds[-1]))
        case "ratio":
            positive = values > 0
            if not positive.any():
                return f"{measure.title}: nothing in any of the {rows_of(values.size)} that were looked at."
            if still := int(np.count_nonzero(~positive)):
                said.append(f"{count(still)} repeat nothing, not drawn.")
            if far := int(np.count_nonzero(values > BEYOND)):
                said.append(f"The last bar holds {count(far)} beyond {BEYOND:g}.")
            most = min(float(values.max()), BEYOND)
            histogram = histograms.linear(values[positive], kept[positive], 0.0, most, bounds)
    labels = given.curated.labels.get(measure.labels, {})
    if judged := sum(labels.values()):
        shares = (f"{name} {percent(rows / judged)}" for name, rows in list(labels.items())[:_LABELS])
        said.append(f"Detected: {', '.join(shares)}.")
    return Score(measure.column, measure.title, measure.axis, histogram, limits, " ".join(said))


def _near(given: _Judged) -> Score | str:
    near = given.curation.duplicates.near
    if near is None:
        return _similarity(given, "near", "", None)
    compared = listed([_TEXTS[text] for text in near.on])
    said = f"Compared: {compared}{'; the larger counts' if len(near.on) > 1 else ''}."
    return _similarity(given, "near", "Jaccard similarity to the better row", near.similarity, said)


def _semantic(given: _Judged) -> Score | str:
    semantic = given.curation.duplicates.semantic
    if semantic is None:
        return _similarity(given, "semantic", "", None)
    compared = f"Compared: {_TEXTS[semantic.on]}."
    return _similarity(given, "semantic", "cosine similarity to the better row", semantic.similarity, compared)


def _similarity(given: _Judged, kind: str, axis: str, least: float | None, compared: str = "") -> Score | str:
    title = f"Similarity of {kind} duplicates"
    if least is None:
        return f"{title}: not looked for, since duplicates.{kind} is null."
    rows = given.curated.noted(f"{kind}_duplicate")
    if not rows.size:
        return f"{title}: the search found none."
    if "similarity" not in given.curated.scores:
        return f"{title}: the rows have no column similarity."
    values = given.curated.scores["similarity"][rows]
    known = np.isfinite(values)
    values, kept = values[known], given.curated.kept[rows][known]
    said = f"{rows_of(rows.size).capitalize()} lost to a better one. {compared}"
    if chained := int(np.count_nonzero(values < least)):
        said += f" {rows_of(chained).capitalize()} below the threshold: linked to it through others between."
    histogram = histograms.linear(values, kept, float(values.min(initial=least)) - 0.05, 1.0, [least])
    return Score(f"{kind}_similarity", title, axis, histogram, (Limit(least, f"least {least:g}"),), said)


def _measured(given: _Judged, column: str, title: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | str:
    """The finite values of a column and which of their rows were kept; or why there are none."""
    values = given.curated.scores.get(column)
    if values is None:
        return f"{title}: the rows have no column {column}."
    known = np.isfinite(values)
    if not known.any():
        return f"{title}: no row has one."
    return values[known], given.curated.kept[known]


def _took(given: _Judged, reason: str, what: str) -> str:
    """What a limit took, as a sentence that says so too where it took nothing."""
    rejected, marked = given.counted.reasons[reason], given.counted.marks[reason]
    if marked and not rejected:
        return f"{what} marked {rows_of(marked)} and took none, since the recipe ignores it."
    share = f" ({percent(rejected / given.counted.rows)})" if rejected else ""
    return f"{what} took {rows_of(rejected)}{share}."
