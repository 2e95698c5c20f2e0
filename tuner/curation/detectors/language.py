"""Which language a row is in.

Both texts are judged as one: the beginning of the prose of the instruction and that of the response, 100 characters
each, so that each has its say and length none. A row that this calls foreign is looked at again, text by text, and is
in a wrong language only if neither is in a wanted one: to ask in English for a translation is English. Fenced code is
left out; a few words are too little to judge.

Measured on dialogues and quotations in 22 languages: of 15,600 foreign ones of 100 letters and more 99.5 % are found,
of 12,000 pieces of technical English one is taken for foreign. 300 characters of each text tell no more than 100.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.curation.checks.language import Language
from tuner.curation.columns.batch import Batch, Findings, Flags
from tuner.curation.columns.words import I32, utf8
from tuner.curation.detectors import lid
from tuner.errors import InputError

CHARACTERS = 100
"""Of the prose of each text."""
MIN_LETTERS = 20
"""Bytes of letters below which a row is not judged: 20 letters of English, 10 of Russian, 7 of Chinese."""

_FENCED = r"```.*?(?:```|\z)"


def check(batch: Batch, language: Language) -> Findings:
    """Says which language every row is in.

    Returns:
        The reason `wrong_language`, where the detector is at least `min_confidence` sure that the row is in a language
        that is not wanted, and as sure of a wanted one in neither text. The scores `language` (ISO 639 code) and
        `language_confidence` (its probability), of both texts as one, null where there is too little to judge.

    Raises:
        InputError: If a wanted language is none that the detector knows.
    """
    model = lid.load()
    for code in language.wanted:
        if code not in model.languages:
            raise InputError(f"curation.language.wanted: the detector knows no language {code!r}")
    wanted = np.isin(np.array(model.languages), language.wanted)
    instruction, response = _prose(batch.normal_instruction), _prose(batch.normal_response)
    best, likely, judged = _detected(model, instruction + " " + response)
    wrong = judged & (likely >= language.min_confidence) & ~wanted[best]
    rows = np.flatnonzero(wrong)
    for texts in (instruction.gather(rows), response.gather(rows)):
        alone, sure, enough = _detected(model, texts)
        wrong[rows] &= ~(enough & (sure >= language.min_confidence) & wanted[alone])
    unknown = pl.Series(~judged)
    scores = {
        "language": pl.Series(model.languages, dtype=pl.String).gather(best).set(unknown, None),
        "language_confidence": pl.Series(likely).set(unknown, None),
    }
    return Findings({"wrong_language": wrong}, {name: column.alias(name) for name, column in scores.items()})


def _detected(model: lid.Model, texts: pl.Series) -> tuple[I32, NDArray[np.float32], Flags]:
    """The likeliest language of each text, its probability, and whether there is enough text to say so."""
    best, likely, letters = lid.predict(model, *utf8(texts))
    return best, likely, letters >= MIN_LETTERS


def _prose(texts: pl.Series) -> pl.Series:
    """The beginning of each text without its fenced code; a little more is read than is kept."""
    beginnings = texts.str.slice(0, 6 * CHARACTERS)
    fenced = beginnings.str.contains("```", literal=True)
    if fenced.any():
        beginnings = beginnings.zip_with(~fenced, beginnings.str.replace_all(_FENCED, " "))
    return beginnings.str.slice(0, CHARACTERS)
