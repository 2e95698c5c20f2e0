"""Toxicity: slurs, threats, incitement to self-harm, explicit sex and insults, found as words and phrases.

The terms are in `toxic_terms`. One expression over the column finds the few rows that may contain a term; only these
are read again in Python, where letters of all scripts count as letters and innocent phrases are tried first. A list
sees words, not intent: it misses cruelty in decent words, and finds the words of a villain in a story.
"""

import re
from collections.abc import Iterator
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.columns.rare import joined
from tuner.curation.columns.spans import around
from tuner.curation.detectors.toxic_terms import INNOCENT, TERMS

MASK = "[REDACTED]"

_AROUND = 100
"""Characters around a likely place in which an innocent phrase is looked for."""


def check(batch: Batch) -> Findings:
    """Looks for toxic words in every message.

    Returns:
        The reason `toxic`, and the score `toxic_terms`: the terms found as `category: words`,
        joined by `; ` in order of occurrence, null if there are none.
    """
    terms_by_row: dict[int, list[str]] = {}
    for message, terms in _found(batch.messages.texts):
        terms_by_row.setdefault(int(batch.messages.rows[message]), []).extend(terms)
    flags = np.zeros(len(batch), np.bool_)
    flags[list(terms_by_row)] = True
    return Findings({"toxic": flags}, {"toxic_terms": joined("toxic_terms", len(batch), terms_by_row, "; ")})


def redact(texts: pl.Series) -> pl.Series:
    """Replaces every toxic word or phrase by `[REDACTED]`, until none is left.

    `redact(redact(x))` is `redact(x)`, and `check` finds nothing in it.
    """
    # A copy, since `scatter` works in place.
    texts, rows = texts.clone(), _candidates(texts)
    # Repeated, since a mask may break up an innocent phrase or join two halves of another term.
    while rows.size:
        before = texts.gather(rows)
        after = pl.Series([_masked(text, terms) for text, terms in _terms(before)], dtype=pl.String)
        texts = texts.scatter(rows, after)
        rows = rows[(before != after).to_numpy()]
    return texts


def _found(texts: pl.Series) -> Iterator[tuple[int, list[str]]]:
    rows = _candidates(texts)
    for row, (_, terms) in zip(rows.tolist(), _terms(texts.gather(rows)), strict=True):
        if terms:
            yield row, [f"{term.lastgroup}: {' '.join(term.group().lower().split())}" for term in terms]


def _candidates(texts: pl.Series) -> NDArray[np.int64]:
    likely, _ = _patterns()
    return np.flatnonzero(texts.str.contains(likely).fill_null(False).to_numpy())


def _terms(texts: pl.Series) -> Iterator[tuple[str, list[re.Match[str]]]]:
    """Each text and its terms, in order. For speed, only the surroundings of likely places are searched."""
    likely, exact = _patterns()
    for text, hints in zip(texts, texts.str.extract_all(likely), strict=True):
        places = (place.span() for hint in set(hints) for place in re.finditer(re.escape(hint), text))
        windows = around(places, _AROUND, len(text))
        matches = (match for window in windows for match in exact.finditer(text, *window))
        yield text, [match for match in matches if match.lastgroup != "innocent"]


def _masked(text: str, terms: list[re.Match[str]]) -> str:
    edges = [0, *(edge for term in terms for edge in term.span()), len(text)]
    return MASK.join(text[begin:end] for begin, end in zip(edges[::2], edges[1::2], strict=True))


@cache
def _patterns() -> tuple[str, re.Pattern[str]]:
    """The expression for the column, which rarely finds too much and never too little, and the exact one."""
    groups = {"innocent": INNOCENT, **TERMS}
    written = {name: "|".join(_written(term) for term in terms) for name, terms in groups.items()}
    # ASCII word boundaries, because Unicode ones are slow; the exact expression handles the letters of other scripts.
    likely = rf"(?i)(?-u:\b)(?:{'|'.join(written[name] for name in TERMS)})(?-u:\b)"
    exact = rf"(?<!\w)(?:{'|'.join(f'(?P<{name}>{terms})' for name, terms in written.items())})(?!\w)"
    return likely, re.compile(exact, re.IGNORECASE)


def _written(term: str) -> str:
    for plain, pattern in (("[- ]", r"[-\s]"), (" ?", r"\s*"), (" ", r"\s+"), ("'", "['\u2019\u2018\u02bc`\u00b4]?")):
        term = term.replace(plain, pattern)
    return term
