"""The checks of the project's first run and of Gopher row by row in plain Python, as a reference for the columnar ones.

Slow and short, so that it can be compared with the definitions.
"""

import re
from collections import Counter

from tuner.curation.columns.text import COMMON_WORDS, ENGLISH_WORDS, normalise

REPETITION_FROM_WORDS = 10
GOPHER_FROM_WORDS = 50
GOPHER_FROM_LINES = 4

LOW_QUALITY = re.compile(
    r"\A(?:hi|hello|hey|ok|okay|sure|yes|no|thanks|thank you)[\s.!]*\Z"
    r"|\Ai (?:don't|cannot|can't) (?:help|assist|answer)\b",
    re.ASCII,
)
ONLY_MARKS = re.compile(r"[^\w\s]+")
SORRY = re.compile(r"\b(?:i'm sorry, but i|i apologize, but)\b", re.ASCII)
AS_AN_AI = r"\bas an ai(?: (?:(?:large )?language )?(?:model|assistant|chatbot|system))?"
I_AS_AN_AI = re.compile(rf"{AS_AN_AI}(?:[.;:!?)]|\Z|,? (?:i|my|it|there|we)\b)", re.ASCII)
AS_AN_AI_I = re.compile(rf"{AS_AN_AI}(?:[,.;:!?)]|\Z| (?:i|my)\b)", re.ASCII)
REFUSAL = re.compile(
    r"\bi(?: (?:can't|cannot|won't|will not) (?:help|assist|provide)"
    r"|'m (?:not able|unable) to| don't have (?:access|the ability))\b",
    re.ASCII,
)
HARMFUL = re.compile(
    r"\b(?:(?:kill|murder|suicide|terrorist|bomb|weapon)(?:s|ed|er|ers|ing|ings)?"
    r"|hack into|steal passwords?|illegal drugs?|child abuse)\b",
    re.ASCII,
)
EDUCATIONAL = re.compile(r"\b(?:history|prevention|awareness|education|study)", re.ASCII)
OPEN_ENDING = re.compile(r"(?:[,;:\[{]|(?<!:)\(|\n[ \t]*[-*•])\Z")
FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)
ACTION = re.compile(r"\b(?:explain|describe|how|what|why|write|create)\b", re.ASCII)
STRUCTURE = re.compile(r"\n\n|^(?:[0-9]+\.|[-*])", re.MULTILINE)


def plain(text: str) -> str:
    return normalise(text).replace("’", "'")


def words(text: str) -> list[str]:
    return normalise(text).split()


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


def has_pattern(text: str, as_an_ai: re.Pattern[str] = AS_AN_AI_I) -> bool:
    normal = plain(text)
    return bool(
        LOW_QUALITY.match(normal)
        or ONLY_MARKS.fullmatch(normalise(text))
        or SORRY.search(normal)
        or as_an_ai.search(normal)
    )


def refuses(response: str) -> bool:
    return REFUSAL.search(plain(response)) is not None


def is_unfinished(response: str) -> bool:
    return OPEN_ENDING.search(response.rstrip()) is not None or len(FENCE.findall(response)) % 2 == 1


def is_toxic(instruction: str, response: str) -> bool:
    both = [plain(instruction), plain(response)]
    return any(HARMFUL.search(text) for text in both) and not any(EDUCATIONAL.search(text) for text in both)


def quality(
    instruction: str, response: str, max_word_share: float = 0.3, max_phrase_repeats: int = 3
) -> dict[str, float]:
    """The six parts of the score of a row with both texts."""
    ratio = repetition_ratio(response)
    repetition = 0.2 if phrase_repeats(response) > max_phrase_repeats else 1.0
    if ratio is not None and ratio > max_word_share:
        repetition = 0.3
    form = 1.0 if response.rstrip()[-1] in ".!?\"')" else 0.7
    if refuses(response):
        form = 0.0
    if has_pattern(response):
        form = 0.1
    if has_pattern(instruction, I_AS_AN_AI):
        form = 0.0
    written = response.split()
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
