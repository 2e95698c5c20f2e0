"""The form in which texts are compared, and lists of function words."""

import unicodedata

import numpy as np
import polars as pl

from tuner.curation.columns.words import folded

# Words that mark English, and words whose repetition does not count: two lists, because the score's formulas use two.
# fmt: off
ENGLISH_WORDS = frozenset(
    {"the", "is", "are", "was", "were", "have", "has", "will", "would", "could", "should", "can", "may", "a",
    "an", "and", "or", "but", "if", "then"}
)
COMMON_WORDS = frozenset(
    {"the", "a", "an", "is", "are", "was", "were", "to", "of", "and", "in", "for", "on", "with"}
)
FUNCTION_WORDS = COMMON_WORDS | ENGLISH_WORDS | frozenset(
    {"about", "after", "all", "also", "am", "any", "as", "at", "be", "because", "been", "before", "being", "between",
    "both", "by", "did", "do", "does", "down", "each", "even", "every", "few", "first", "from", "had", "he", "her",
    "here", "him", "his", "how", "in", "into", "it", "its", "just", "last", "least", "less", "like", "many", "me",
    "might", "more", "most", "much", "must", "my", "no", "not", "now", "off", "one", "ones", "only", "other", "others",
    "our", "out", "over", "own", "part", "rest", "same", "she", "so", "some", "still", "such", "than", "that", "their",
    "them", "there", "these", "they", "this", "those", "through", "time", "too", "two", "under", "until", "up", "us",
    "very", "way", "we", "well", "what", "when", "where", "which", "while", "who", "whole", "why", "within", "without",
    "you", "your", "it's", "don", "ll", "re", "ve"}
)
"""Words of English that make no phrase, whatever they stand beside of their kind: `one of the`, `as well as`."""
# fmt: on


def normalise(text: str) -> str:
    """The form in which texts are compared: NFKC, casefolded, every run of white space one blank, none at the ends.

    The result holds no line break, so normalised texts can be joined by one without ambiguity.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def normalised(texts: pl.Series) -> pl.Series:
    """`normalise` over a column; a null is an empty text. Only texts beyond ASCII are looped over in Python."""
    texts = texts.cast(pl.String).fill_null("")
    plain = texts.str.len_bytes() == texts.str.len_chars()
    if not plain.all():
        rare = [unicodedata.normalize("NFKC", text).casefold() for text in texts.filter(~plain)]
        # A copy, since `scatter` works in place.
        texts = texts.clone().scatter(np.flatnonzero(~plain), pl.Series(rare, dtype=pl.String))
    return folded(texts)
