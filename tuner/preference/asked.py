"""What an English instruction asks for in so many words, and whether an answer has it.

Few wordings are known, so that what is recognised is nearly always meant; everything else does not apply.
"""

import json
import re

_NUMBERS = {
    **{"a single": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5},
    **{"six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10},
}
_NUMBER = rf"(?P<number>\d{{1,5}}|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_MOST = r"(?P<most>at most|no more than|fewer than|less than|under|up to|a maximum of|within)"
_LEAST = r"(?P<least>at least|no fewer than|no less than|more than|a minimum of)"
# A bare number is no length of the answer: 'the first two words', 'the three paragraphs below'.
_ORDER = r"(?P<order>in|into|using|exactly|only|just|(?:write|give|compose|create)(?: me)?(?: an?)?)"
_LENGTH = re.compile(
    rf"\b(?:(?:{_MOST}|{_LEAST}|{_ORDER})\s+)?{_NUMBER}[ -](?:(?:short|brief|simple|concise|complete|full)\s+)?"
    r"(?P<unit>words?|sentences?|paragraphs?)\b(?P<fewer>\s+or\s+(?:less|fewer))?",
    re.IGNORECASE,
)

_JSON = re.compile(
    r"\b(?:in|as|return|output|produce|valid|an?)\s+(?:a\s+)?(?:valid\s+)?json\b(?!\s+(?:file|schema|parser|library))",
    re.IGNORECASE,
)
_TABLE = re.compile(r"\b(?:in|as|into|make|create|draw)\s+a\s+(?:markdown\s+)?table\b", re.IGNORECASE)
_LIST = re.compile(
    r"\b(?:bullet(?:ed)?[ -](?:points?|list)|numbered list|as a list|in (?:the form of )?a list|in list form)\b",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s*(?:[-*+\N{BULLET}]|\d{1,3}[.)])\s+\S", re.MULTILINE)
_RULE_OF_TABLE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)+\|?\s*$", re.MULTILINE)
_FENCED = re.compile(r"```[a-zA-Z]*\n(.*?)```", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*(?:\s+|$)")


def length(instruction: str, answer: str) -> bool | None:
    """Whether an answer has the number of words, sentences or paragraphs that the instruction asks for.

    A number of words alone may be missed by a fifth. `one word` and `one sentence` are exact.
    """
    found = _LENGTH.finditer(instruction)
    wanted = next((each for each in found if any(each[how] for how in ("most", "least", "order", "fewer"))), None)
    if wanted is None:
        return None
    unit = wanted["unit"].casefold().rstrip("s")
    number = _number(wanted["number"])
    has = {"word": _words, "sentence": _sentences, "paragraph": _paragraphs}[unit](answer)
    if wanted["most"] or wanted["fewer"]:
        return has <= number
    if wanted["least"]:
        return has >= number
    return abs(has - number) <= number / 5 if unit == "word" and number > 5 else has == number


def format_(instruction: str, answer: str) -> bool | None:
    """Whether an answer is JSON, holds a table or holds a list of two items or more, if the instruction asks for it."""
    if _JSON.search(instruction):
        return _is_json(answer)
    if _TABLE.search(instruction):
        return bool(_RULE_OF_TABLE.search(answer))
    if _LIST.search(instruction):
        return len(_ITEM.findall(answer)) >= 2
    return None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else _NUMBERS[text.casefold()]


def _words(answer: str) -> int:
    return len(answer.split())


def _sentences(answer: str) -> int:
    return len([part for part in _SENTENCE_END.split(answer) if part.strip()])


def _paragraphs(answer: str) -> int:
    return len([part for part in re.split(r"\n\s*\n", answer) if part.strip()])


def _is_json(answer: str) -> bool:
    for text in (answer, *_FENCED.findall(answer)):
        try:
            json.loads(text)
        except ValueError:
            continue
        return True
    return False
