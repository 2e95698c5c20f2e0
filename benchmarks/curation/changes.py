"""What makes a duplicate of a row: other letters for the same text, other words in it, or the same in other words."""

import random
import re
import unicodedata
from collections.abc import Callable, Sequence

from benchmarks.curation.rows import Row

_PIECES = re.compile(r"\s+|\S+")
_OTHER_BLANKS = ("  ", "\n", "\t", "\u00a0", "\u2003", " \r\n")
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def _as_it_is(text: str, rng: random.Random) -> str:
    return text


def _upper(text: str, rng: random.Random) -> str:
    return text.upper()


def _swapped(text: str, rng: random.Random) -> str:
    return text.swapcase()


def _spaced(text: str, rng: random.Random) -> str:
    blanks = re.sub(r"\s+", lambda match: rng.choice([match.group(), *_OTHER_BLANKS]), text)
    return rng.choice(["", " ", "\n"]) + blanks + rng.choice(["", " ", "\u3000\n"])


def _decomposed(text: str, rng: random.Random) -> str:
    # Accents become characters of their own; what a ligature, an ellipsis or a wide letter stands for is the same text.
    text = text.replace("fi", "\ufb01").replace("ff", "\ufb00").replace("...", "\u2026")
    words = [word.translate(_WIDE) if rng.random() < 0.05 else word for word in text.split(" ")]
    return unicodedata.normalize("NFD", " ".join(words))


VARIANTS: dict[str, Callable[[str, random.Random], str]] = {
    "same": _as_it_is,
    "upper case": _upper,
    "swapped case": _swapped,
    "white space": _spaced,
    "Unicode form": _decomposed,
}
"""Exact duplicates, by what is changed."""


def variant(row: Row, name: str, rng: random.Random) -> Row:
    """The same row, written another way."""
    change = VARIANTS[name]
    return Row(change(row.instruction, rng), change(row.response, rng))


def edited(row: Row, share: float, words: Sequence[str], rng: random.Random) -> tuple[Row, int]:
    """A row in which exactly round(share x words) of the words are replaced, deleted or have another put before them.

    Args:
        row: The row; its two texts are edited as one.
        share: Of its words, at least one of which is edited.
        words: What is put in.
        rng: Chooses the places, the kind of each edit (a third each) and the words.

    Returns:
        The row and the number of edits.
    """
    texts = [_PIECES.findall(text) for text in (row.instruction, row.response)]
    places = [(text, at) for text, pieces in enumerate(texts) for at, piece in enumerate(pieces) if not piece.isspace()]
    edits = max(1, round(share * len(places)))
    for text, at in rng.sample(places, edits):
        word = texts[text][at]
        other = rng.choice(words)
        while other.casefold() == word.casefold():
            other = rng.choice(words)
        texts[text][at] = rng.choice((other, "", f"{other} {word}"))
    instruction, response = ("".join(pieces).strip() for pieces in texts)
    return Row(instruction, response), edits


_SYNONYMS = {
    "i'm": "i am", "don't": "do not", "it's": "it is", "that's": "that is", "can't": "cannot", "didn't": "did not",
    "i've": "i have", "you're": "you are", "haven't": "have not", "i'll": "i will", "isn't": "is not",
    "doesn't": "does not", "what's": "what is", "they're": "they are", "wasn't": "was not", "i'd": "i would",
    "there's": "there is", "we're": "we are", "couldn't": "could not", "wouldn't": "would not", "won't": "will not",
    "really": "truly", "awesome": "fantastic", "cool": "great", "great": "excellent", "nice": "lovely",
    "love": "adore", "like": "enjoy", "enjoy": "like", "think": "believe", "guess": "suppose", "people": "folks",
    "movie": "film", "movies": "films", "kids": "children", "big": "large", "small": "little", "start": "begin",
    "started": "began", "probably": "most likely", "maybe": "perhaps", "very": "extremely", "pretty": "quite",
    "lots": "plenty", "favorite": "preferred", "fun": "enjoyable", "hard": "difficult", "easy": "simple",
    "smart": "clever", "funny": "amusing", "happy": "glad", "sad": "unhappy", "scary": "frightening", "buy": "purchase",
    "bought": "purchased", "get": "obtain", "got": "received", "want": "wish", "wanted": "wished", "need": "require",
    "help": "assist", "job": "work", "school": "college", "class": "course", "classes": "courses", "home": "house",
    "study": "learn", "talk": "speak", "talking": "speaking", "watch": "see", "watched": "saw", "also": "too",
    "because": "since", "but": "yet", "so": "therefore", "just": "only", "always": "constantly", "often": "frequently",
    "sometimes": "now and then", "definitely": "certainly", "sure": "certain", "yeah": "yes", "yea": "yes",
    "haha": "ha ha", "lol": "ha ha", "wow": "my goodness", "hey": "hello", "hi": "hello", "mom": "mother",
    "dad": "father", "photo": "picture", "car": "vehicle", "trip": "journey", "weird": "odd", "crazy": "mad",
    "interesting": "fascinating", "different": "unlike", "whole": "entire", "many": "numerous", "try": "attempt",
    "usually": "normally", "super": "extremely", "kind": "sort", "stuff": "things", "quick": "fast", "right": "correct",
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")


def paraphrased(text: str) -> str:
    """A text that says the same in other words: contractions spelt out, common words replaced, the first sentence last.

    A rule is no writer: what comes out is close in meaning and stiff in tone. It stands for what semantic duplicates
    are and phrases do not find.
    """
    sentences = re.split(r"(?<=[.!?])\s+", text)
    turned = " ".join([*sentences[1:], sentences[0]])
    return _WORD.sub(lambda match: _like(match.group(), _SYNONYMS.get(match.group().lower(), match.group())), turned)


def _like(word: str, other: str) -> str:
    return other[0].upper() + other[1:] if word[0].isupper() else other
