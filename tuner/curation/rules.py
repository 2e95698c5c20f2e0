"""The rules a row has to pass, and the reasons it is given where it does not.

A rule looks at one row and nothing else. Patterns and word lists are those of the project's first run, with three
mistakes mended. They are matched at word boundaries: 'skill' is not 'kill', 'was an aid' is not 'as an AI' and 'Lori
can't help' is not 'I can't help'. Typographic apostrophes count as plain ones. And inflections of a harmful word are
named, since a word boundary would otherwise let 'killing' pass.
"""

import re
from collections import Counter
from dataclasses import dataclass

from tuner.curation.text import COMMON_WORDS, ENGLISH_WORDS, Pair
from tuner.recipe import Curation

# Every reason there is, in the order of the checks: the order of a row's reasons, of the metrics and of the funnel.
REASONS: tuple[tuple[str, str], ...] = (
    ("empty_instruction", "the instruction holds nothing but white space"),
    ("cut_instruction", "the instruction was cut off at the limit of tokens"),
    ("empty_response", "the response holds nothing but white space"),
    ("cut_response", "the response was cut off at the limit of tokens"),
    ("short_instruction", "the instruction has fewer words than allowed"),
    ("long_instruction", "the instruction has more words than allowed"),
    ("short_response", "the response has fewer words than allowed"),
    ("long_response", "the response has more words than allowed"),
    ("not_english", "less than 80 % of the characters are ASCII"),
    ("repeated_word", "one content word makes up more of the response than allowed"),
    ("repeated_phrase", "a phrase of 3 to 5 words occurs in the response more often than allowed"),
    ("instruction_pattern", "the instruction is a bare greeting, only punctuation, or an assistant's apology"),
    ("response_pattern", "the response is a bare greeting, only punctuation, or an assistant's apology"),
    ("refusal", "the response refuses"),
    (
        "unfinished_response",
        "the response ends as no finished text does: on a comma, a colon, an open bracket or block",
    ),
    ("toxic", "a harmful word occurs, and no word that shows an educational context"),
    ("low_quality", "the quality score is lower than allowed"),
    ("duplicate", "another row has the same instruction and response"),
    ("below_target", "enough better rows were kept"),
)

MIN_ASCII = 0.8
# Shorter responses are not looked at for repetition: one word of nine would already weigh 11 %.
REPETITION_FROM_WORDS = 10

# Matched, down to `_EDUCATIONAL`, against `_plain` text, which is lower case: twice as fast as ignoring case.
_LOW_QUALITY = re.compile(
    r"\A(?:hi|hello|hey|ok|okay|sure|yes|no|thanks|thank you)[\s.!]*\Z"
    r"|\Ai (?:don't|cannot|can't) (?:help|assist|answer)\b"
    r"|\A[^\w\s]+\Z"
)
_APOLOGY = re.compile(r"\b(?:as an ai|i'm sorry, but i|i apologize, but)\b")
_REFUSAL = re.compile(
    r"\bi(?: (?:can't|cannot|won't|will not) (?:help|assist|provide)"
    r"|'m (?:not able|unable) to| don't have (?:access|the ability))\b"
)
_HARMFUL = re.compile(
    r"\b(?:(?:kill|murder|suicide|terrorist|bomb|weapon)(?:s|ed|er|ers|ing|ings)?"
    r"|hack into|steal passwords?|illegal drugs?|child abuse)\b"
)
# Open at the end, so that 'educational' and 'studying' count. Anywhere in the row, since a row is one subject.
_EDUCATIONAL = re.compile(r"\b(?:history|prevention|awareness|education|study)")
# ':(' closes a sentence in its way; a '*' may close bold text, so a bullet must be alone in its line.
_OPEN_ENDING = re.compile(r"(?:[,;:\[{]|(?<!:)\(|\n[ \t]*[-*•])\Z")
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """What the rules say of one row.

    Attributes:
        reasons: The names of the rules that it breaks, in the order of `REASONS`.
        ascii_ratio: ASCII characters over all characters of both texts.
        english_ratio: English function words over all words of both texts.
        repetition_ratio: The most frequent content word's share of the response's words; None under 10 words.
    """

    reasons: tuple[str, ...]
    ascii_ratio: float
    english_ratio: float
    repetition_ratio: float | None


def examine(pair: Pair, instruction_finish: str, response_finish: str, curation: Curation) -> Finding:
    """Holds one row against every rule that needs no score and no other row.

    Args:
        pair: The row's texts.
        instruction_finish: Why the generation of the instruction ended; `length` is cut off.
        response_finish: The same of the response.
        curation: The limits.

    Returns:
        The reasons and the ratios behind them. For a row with an empty text, the reasons say only that and what was
        cut: nothing else can be said of a text that is not there.
    """
    ratio = repetition_ratio(pair.response_words)
    broken = {
        "empty_instruction": not pair.instruction_words,
        "cut_instruction": instruction_finish == "length",
        "empty_response": not pair.response_words,
        "cut_response": response_finish == "length",
    }
    ascii_ratio = _ascii_ratio(f"{pair.instruction} {pair.response}")
    if pair.is_whole:
        broken |= {
            "short_instruction": len(pair.instruction_words) < curation.instruction_words[0],
            "long_instruction": len(pair.instruction_words) > curation.instruction_words[1],
            "short_response": len(pair.response_words) < curation.response_words[0],
            "long_response": len(pair.response_words) > curation.response_words[1],
            "not_english": ascii_ratio < MIN_ASCII,
            "repeated_word": ratio is not None and ratio > curation.max_repetition,
            "repeated_phrase": phrase_repeats(pair.response_words) > curation.max_ngram_repeats,
            "instruction_pattern": has_pattern(pair.instruction),
            "response_pattern": has_pattern(pair.response),
            "refusal": refuses(pair.response),
            "unfinished_response": is_unfinished(pair.response),
            "toxic": is_toxic(f"{pair.instruction} {pair.response}"),
        }
    return Finding(
        reasons=tuple(name for name, yes in broken.items() if yes),
        ascii_ratio=ascii_ratio,
        english_ratio=_english_ratio(pair),
        repetition_ratio=ratio,
    )


def repetition_ratio(words: list[str]) -> float | None:
    """The share of all words that the most frequent one has which is longer than two letters and not a common one.

    Returns:
        The share, 0 if there is no such word, None for fewer than 10 words.
    """
    if len(words) < REPETITION_FROM_WORDS:
        return None
    counts = (count for word, count in Counter(words).items() if len(word) > 2 and word not in COMMON_WORDS)
    return max(counts, default=0) / len(words)


def phrase_repeats(words: list[str]) -> int:
    """How often the most frequent phrase of three words occurs; 0 for fewer than 10 words.

    Whoever asks about phrases of three, four or five words need only look at those of three: a longer phrase occurs
    no more often than the three words it begins with.
    """
    if len(words) < REPETITION_FROM_WORDS:
        return 0
    return max(Counter(zip(words, words[1:], words[2:], strict=False)).values())


def has_pattern(text: str) -> bool:
    """Whether a text is a bare greeting or only punctuation, or apologises as assistants do."""
    plain = _plain(text)
    return _LOW_QUALITY.match(plain) is not None or _APOLOGY.search(plain) is not None


def refuses(response: str) -> bool:
    """Whether a text says that its author cannot or will not."""
    return _REFUSAL.search(_plain(response)) is not None


def is_unfinished(response: str) -> bool:
    """Whether a text ends on a comma, semicolon, colon, open bracket or bare bullet, or inside a fenced block."""
    return _OPEN_ENDING.search(response.rstrip()) is not None or len(_FENCE.findall(response)) % 2 == 1


def is_toxic(text: str) -> bool:
    """Whether a harmful word stands in a text that shows no educational context."""
    plain = _plain(text)
    return _HARMFUL.search(plain) is not None and _EDUCATIONAL.search(plain) is None


def _plain(text: str) -> str:
    return text.strip().lower().replace("\u2019", "'")


def _ascii_ratio(text: str) -> float:
    return len(text.encode("ascii", "ignore")) / len(text)


def _english_ratio(pair: Pair) -> float:
    total = len(pair.instruction_words) + len(pair.response_words)
    english = sum(word in ENGLISH_WORDS for words in (pair.instruction_words, pair.response_words) for word in words)
    return english / max(total, 1)
