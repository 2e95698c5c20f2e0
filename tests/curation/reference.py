"""The checks of the project's first run and of Gopher row by row in plain Python, as a reference for the columnar ones.

Slow and short, so that it can be compared with the definitions.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection

from tuner.curation.columns.text import COMMON_WORDS, ENGLISH_WORDS, normalise

REPETITION_FROM_WORDS = 10
MAX_WORD_SHARE, MAX_PHRASE_REPEATS = 0.3, 3
GOPHER_FROM_WORDS = 50
GOPHER_FROM_LINES = 4

HARMFUL = re.compile(
    r"\b(?:(?:kill|murder|suicide|terrorist|bomb|weapon)(?:s|ed|er|ers|ing|ings)?"
    r"|hack into|steal passwords?|illegal drugs?|child abuse)\b",
    re.ASCII,
)
EDUCATIONAL = re.compile(r"\b(?:history|prevention|awareness|education|study)", re.ASCII)
ACTION = re.compile(r"\b(?:explain|describe|how|what|why|write|create)\b", re.ASCII)
STRUCTURE = re.compile(r"\n\n|^(?:[0-9]+\.|[-*])", re.MULTILINE)

BLOCKS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff"
BLOCKS += "\uaa60-\uaa7f\uf900-\ufaff\uff66-\uff9f"


def stands_alone(character: str) -> bool:
    if character in "\u3005\u3006\u3007" or 0x20000 <= ord(character) < 0x40000:
        return True
    return bool(re.match(f"[{BLOCKS}]", character)) and unicodedata.category(character)[0] == "L"


def clings(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "MPS" or category in ("Cc", "Cf") or 0xE0000 <= ord(character) < 0xE1000


def segments(text: str) -> list[str]:
    """The words of a text, character by character."""
    words = []
    for run in text.split():
        begin = len(words)
        alone = False
        for character in run:
            if len(words) == begin or stands_alone(character) or (alone and not clings(character)):
                words.append(character)
                alone = stands_alone(character)
            else:
                words[-1] += character
    return words


def plain(text: str) -> str:
    return normalise(text).replace("’", "'")


def words(text: str) -> list[str]:
    return segments(normalise(text))


def ascii_ratio(instruction: str, response: str) -> float:
    text = f"{instruction} {response}"
    return len(text.encode("ascii", "ignore")) / len(text)


def english_ratio(instruction: str, response: str) -> float:
    both = words(instruction) + words(response)
    return sum(word in ENGLISH_WORDS for word in both) / max(len(both), 1)


def repetition_ratio(response: str) -> float | None:
    words_ = words(response)
    if len(words_) < REPETITION_FROM_WORDS:
        return None
    counts = (count for word, count in Counter(words_).items() if len(word) > 2 and word not in COMMON_WORDS)
    return max(counts, default=0) / len(words_)


def phrase_repeats(response: str) -> int:
    """Over phrases of 3, 4 and 5 words, as the first run counted."""
    words_ = words(response)
    if len(words_) < REPETITION_FROM_WORDS:
        return 0
    return max(max(Counter(zip(*(words_[i:] for i in range(n)), strict=False)).values()) for n in (3, 4, 5))


def is_toxic(instruction: str, response: str) -> bool:
    both = [plain(instruction), plain(response)]
    return any(HARMFUL.search(text) for text in both) and not any(EDUCATIONAL.search(text) for text in both)


def quality(instruction: str, response: str, reasons: Collection[str]) -> dict[str, float]:
    """The six parts of the score of an English row with both texts; `reasons` are those of its form."""
    ratio = repetition_ratio(response)
    repetition = 0.2 if phrase_repeats(response) > MAX_PHRASE_REPEATS else 1.0
    if ratio is not None and ratio > MAX_WORD_SHARE:
        repetition = 0.3
    form = 1.0 if response.rstrip()[-1] in ".!?\"')" else 0.7
    if "refusal" in reasons:
        form = 0.0
    if "response_pattern" in reasons:
        form = 0.1
    if "instruction_pattern" in reasons:
        form = 0.0
    written = segments(response)
    clarity = 1 + 0.1 * ("?" in instruction) + 0.1 * (ACTION.search(normalise(instruction)) is not None)
    variety = 0.5 + 0.5 * len(set(written)) / len(written)
    return {
        "length": max(0.5, 1 - abs(len(words(response)) - 200) / 500),
        "language": min(
            1.0, 0.5 * english_ratio(instruction, response) + 0.5 * ascii_ratio(instruction, response) + 0.5
        ),
        "repetition": repetition,
        "format": form,
        "toxicity": 0.0 if is_toxic(instruction, response) else 1.0,
        "content": min(1.0, clarity * variety + 0.1 * (STRUCTURE.search(response) is not None)),
    }


def gopher_lines(text: str) -> float:
    """The largest ratio of measured to allowed, over shares of lines and paragraphs and of the characters in them."""
    lines = [line.strip() for line in text.split("\n")]
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line:
            paragraphs[-1].append(line)
        else:
            paragraphs.append([])
    ratios = [0.0]
    for pieces in ([[line] for line in lines], paragraphs):
        pieces = [piece for piece in pieces if any(c.isalnum() if c.isascii() else True for c in "".join(piece))]
        again = [piece for place, piece in enumerate(pieces) if piece in pieces[:place]]
        if again:
            ratios.append(
                sum(len("".join(piece)) for piece in again) / sum(len("".join(piece)) for piece in pieces) / 0.20
            )
            if len(pieces) >= GOPHER_FROM_LINES:
                ratios.append(len(again) / len(pieces) / 0.30)
    return max(ratios)


def gopher_phrases(text: str) -> tuple[float, float]:
    """The largest ratios of measured to allowed, for the most frequent phrases and for the repeated ones."""
    words_ = words(text)
    total = sum(map(len, words_))
    top, repeated = 0.0, 0.0
    for size, allowed in ((2, 0.20), (3, 0.18), (4, 0.16)):
        phrases = [tuple(words_[at : at + size]) for at in range(len(words_) - size + 1)]
        last = {phrase: at for at, phrase in enumerate(phrases)}
        most, times = max(Counter(phrases).items(), key=lambda item: (item[1], sum(map(len, item[0])), -last[item[0]]))
        if times > 1:
            covered = {at + i for at, phrase in enumerate(phrases) if phrase == most for i in range(size)}
            top = max(top, sum(len(words_[at]) for at in covered) / total / allowed)
    for size, allowed in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)):
        seen: set[tuple[str, ...]] = set()
        covered = set()
        for at in range(len(words_) - size + 1):
            phrase = tuple(words_[at : at + size])
            if phrase in seen:
                covered |= set(range(at, at + size))
            seen.add(phrase)
        repeated = max(repeated, sum(len(words_[at]) for at in covered) / total / allowed)
    return top, repeated


def looked_at(text: str) -> bool:
    """Whether Gopher's rules apply to a response."""
    return len(words(text)) >= GOPHER_FROM_WORDS
