"""Which scores are drawn, which limits the recipe sets them, and in words what each limit took.

A limit that took no row is said to have taken none: the first run of this project had one that could not bite, and
nothing showed it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.curation.settings import Curation
from tuner.report import histograms
from tuner.report.curated import Curated
from tuner.report.histograms import Histogram
from tuner.report.wording import count, listed, number, percent, rows_of

BEYOND = 3.0
"""Ratios to a limit that are larger are counted in the last bar: a few would stretch the axis."""

_LANGUAGES = 6

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
    metrics: Mapping[str, Any]
    curation: Curation


def scores(
    curated: Curated, metrics: Mapping[str, Any], curation: Curation
) -> tuple[tuple[Score, ...], tuple[str, ...]]:
    """The histograms there can be, and for each there cannot be, a sentence that says why.

    Args:
        curated: The rows.
        metrics: Of the stage `curate`.
        curation: The recipe's limits.
    """
    given = _Judged(curated, metrics, curation)
    drawn: list[Score] = []
    missing: list[str] = []
    for make in _MAKERS:
        made = make(given)
        if isinstance(made, Score):
            drawn.append(made)
        else:
            missing.append(made)
    return tuple(drawn), tuple(missing)


def _quality(given: _Judged) -> Score | str:
    found = _measured(given, "quality", "Quality score")
    if isinstance(found, str):
        return found
    values, kept = found
    least = given.curation.quality.minimum
    # At least one bar is left below 1, where the scores end.
    histogram = histograms.linear(values, kept, min(values.min(), 0.95), 1.0, [least])
    words = _took(given, "low_quality", "The threshold")
    if least <= values.min():
        words += f" The lowest score is {number(float(values.min()))}."
    return Score("quality", "Quality score", "quality score", histogram, (Limit(least, f"least {least:g}"),), words)


def _instruction_words(given: _Judged) -> Score | str:
    return _words(given, "instruction", given.curation.form.instruction_words)


def _response_words(given: _Judged) -> Score | str:
    return _words(given, "response", given.curation.form.response_words)


def _words(given: _Judged, text: str, bounds: tuple[int, int]) -> Score | str:
    title = f"Length of {text}s"
    found = _measured(given, f"{text}_words", title)
    if isinstance(found, str):
        return found
    values, kept = found
    # Word counts spread over three orders of magnitude, so the axis is logarithmic; empty texts have no place on it.
    present = values >= 1
    said = [
        _took(given, f"short_{text}", "The lower bound"),
        _took(given, f"long_{text}", "The upper bound"),
    ]
    if empty := int(np.count_nonzero(~present)):
        said.append(f"{count(empty)} empty, not drawn.")
    histogram = histograms.logarithmic(values[present], kept[present], bounds)
    limits = tuple(Limit(float(bound), f"{bound:,}") for bound in bounds)
    return Score(f"{text}_words", title, f"words of the {text}", histogram, limits, " ".join(said))


def _repetition(given: _Judged) -> Score | str:
    found = _measured(given, "repetition_ratio", "Most frequent word")
    if isinstance(found, str):
        return found
    values, kept = found
    most = given.curation.repetition.max_word_share
    histogram = histograms.linear(values, kept, 0.0, float(values.max()), [most])
    return Score(
        "repetition_ratio",
        "Most frequent word",
        "share of one content word in the response",
        histogram,
        (Limit(most, f"most {most:g}"),),
        _took(given, "repeated_word", "The threshold"),
    )


def _gopher(column: str, title: str, reason: str) -> Callable[[_Judged], Score | str]:
    def make(given: _Judged) -> Score | str:
        if not given.curation.repetition.gopher and column not in given.curated.scores:
            return f"{title}: not measured, since repetition.gopher is false."
        found = _measured(given, column, title)
        if isinstance(found, str):
            return found
        values, kept = found
        said = [_took(given, reason, "The threshold")]
        positive = values > 0
        if not positive.any():
            return f"{title}: nothing is repeated in any of the {rows_of(values.size)} that were looked at."
        if still := int(np.count_nonzero(~positive)):
            said.append(f"{count(still)} repeat nothing, not drawn.")
        if far := int(np.count_nonzero(values > BEYOND)):
            said.append(f"The last bar holds {count(far)} beyond {BEYOND:g}.")
        histogram = histograms.linear(values[positive], kept[positive], 0.0, min(float(values.max()), BEYOND), [1.0])
        limits = (Limit(1.0, "limit"),)
        return Score(column, title, "measured / allowed, the largest of its ratios", histogram, limits, " ".join(said))

    return make


def _language(given: _Judged) -> Score | str:
    title = "Certainty of the language"
    if given.curation.language is None:
        return f"{title}: not measured, since curation.language is null."
    found = _measured(given, "language_confidence", title)
    if isinstance(found, str):
        return found
    values, kept = found
    least, wanted = given.curation.language.min_confidence, list(given.curation.language.wanted)
    said = [_took(given, "wrong_language", f"Wanted: {listed(wanted)}. Another language")]
    if unsure := int(np.count_nonzero(values < least)):
        said.append(f"{rows_of(unsure).capitalize()} below the threshold: too uncertain to judge.")
    if judged := sum(given.curated.languages.values()):
        most = list(given.curated.languages.items())[:_LANGUAGES]
        said.append(f"Detected: {', '.join(f'{name} {percent(rows / judged)}' for name, rows in most)}.")
    histogram = histograms.linear(values, kept, float(values.min()), 1.0, [least])
    limits = (Limit(least, f"judged from {least:g}"),)
    return Score(
        "language_confidence", title, "probability of the likeliest language", histogram, limits, " ".join(said)
    )


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


_MAKERS: tuple[Callable[[_Judged], Score | str], ...] = (
    _quality,
    _repetition,
    _instruction_words,
    _response_words,
    _gopher("gopher_lines", "Repeated lines (Gopher)", "repeated_lines"),
    _gopher("gopher_top_ngram", "Most frequent phrase (Gopher)", "frequent_ngram"),
    _gopher("gopher_repeated_ngrams", "Repeated phrases (Gopher)", "repeated_ngrams"),
    _language,
    _near,
    _semantic,
)


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
    rejected, marked = (given.metrics.get(kind, {}).get(reason, 0) for kind in ("reasons", "marks"))
    if marked and not rejected:
        return f"{what} marked {rows_of(marked)} and took none, since the recipe ignores it."
    share = f" ({percent(rejected / given.metrics['rows'])})" if rejected else ""
    return f"{what} took {rows_of(rejected)}{share}."
