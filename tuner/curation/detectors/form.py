"""Whether both texts are present, complete and of allowed length, and are an instruction and its response.

The bare greetings, apologies, refusals and endings are those of the project's first run, with its mistakes corrected.
They are matched at word boundaries: 'was an aid' is not 'as an AI', 'Lori can't help' not 'I can't help'. Typographic
apostrophes count as plain ones. 'As an AI engineer' is no apology. The patterns are Rust's (no look-around) and are
matched against normalised texts; their boundaries are those of ASCII words.
"""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.checks.form import Form
from tuner.curation.columns import layout, tally
from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.columns.patterns import Flags, has, where
from tuner.curation.columns.words import I64, U64, ascii_characters, mix
from tuner.curation.detectors import asking, leaks
from tuner.curation.detectors.leaks import sanitize as sanitize

MIN_ASCII = 0.8
REPEATED_FROM_WORDS = 5
"""A shorter instruction may well occur in its response: 'Define entropy.'"""
REFUSED_WITHIN = 200
"""Characters. Further on, such words are mostly part of a story."""

_PRIME = np.uint64(0x100000001B3)

_B = r"(?-u:\b)"
# An apostrophe, typed or typeset.
_A = r"['\x{2019}]"

_BARE = r"\A(?:hi|hello|hey|ok|okay|sure|yes|no|thanks|thank you)[ .!]*\z"
_CANNOT_ANSWER = rf"\Ai (?:don{_A}t|cannot|can{_A}t) (?:help|assist|answer){_B}"
_SORRY = rf"{_B}(?:i{_A}m sorry, but i|i apologize, but){_B}"
_AS_AN_AI = rf"{_B}as an ai(?: (?:(?:large )?language )?(?:model|assistant|chatbot|system))?"
# 'As an AI, what do you like?' is a question of a user.
_I_AS_AN_AI = rf"{_AS_AN_AI}(?:[.;:!?)]|\z|,? (?:i|my|it|there|we){_B})"
_AS_AN_AI_I = rf"{_AS_AN_AI}(?:[,.;:!?)]|\z| (?:i|my){_B})"
_REFUSAL = (
    rf"{_B}i(?: (?:can{_A}t|cannot|won{_A}t|will not) (?:help|assist|provide)"
    rf"|{_A}m (?:not able|unable) to| don{_A}t have (?:access|the ability)){_B}"
)
_REFUSED = (
    rf"{_B}i(?: (?:can{_A}t|cannot|can not|won{_A}t|will not|am unable to|am not able to)|{_A}m (?:unable|not able) to)"
    r" (?:fulfill?|comply with|engage in|participate in|answer (?:that|this|your)|discuss (?:that|this)"
    rf"|(?:create|generate|write) (?:content|explicit|any)){_B}"
    rf"|{_B}i (?:must|have to) (?:respectfully |politely )?decline{_B}"
    rf"|{_B}against my (?:guidelines|programming|policies){_B}"
)
_AI = "(?:ai|artificial intelligence|(?:large )?language model|virtual assistant|chatbot)"
_KIND = "(?: (?:language )?(?:model|assistant|chatbot|bot|system|program))?"
_UNASKED = (
    rf"{_B}i(?:{_A}m| am) (?:just |only |merely |actually )?(?:an? )?{_AI}{_KIND}"
    rf"(?:[,.;:!?)]|\z| (?:and|so|that|who|which|created|developed|trained|designed|made|without|i){_B})"
    rf"|{_B}as an? {_AI}{_KIND},? (?:i|my){_B}"
    rf"|{_B}my (?:training data|knowledge cut-?off){_B}"
)
_ASKED = (
    rf"{_B}(?:ai|ais|artificial intelligence|(?:model|assistant|chatbot|bot|robot|llm|gpt)s?|chatgpt|claude|siri|alexa"
    rf"|you are|you{_A}re|are you|your name){_B}"
)
_NO_LETTERS = r"\A[^0-9A-Za-z_ ]+\z"


def check(batch: Batch, form: Form) -> Findings:
    """Checks the form of the texts of every row.

    Args:
        batch: The rows.
        form: The limits on words; `sanitize` has been applied before.

    Returns:
        The reasons from `empty_instruction` to `not_ascii`; a row with an empty text has only `empty_*` and `cut_*`.
        The scores `instruction_words` and `response_words`.
    """
    asked, answered = batch.instruction_words.counts, batch.response_words.counts
    fewest, most = form.instruction_words
    least, longest = form.response_words
    is_conversation = leaks.is_conversation(batch.normal_instruction)
    turns = leaks.has_turns(batch.instruction) | leaks.has_turns(batch.response)
    whole = {
        "short_instruction": asked < fewest,
        "long_instruction": asked > most,
        "short_response": answered < least,
        "long_response": answered > longest,
        "leaked_template": leaks.has_tokens(batch.instruction)
        | leaks.has_tokens(batch.response)
        | (turns & ~is_conversation),
        "instruction_is_answer": asking.is_answer(batch.instruction),
        "instruction_as_assistant": asking.is_assistant(batch.instruction, batch.normal_instruction),
        "instruction_is_fragment": asking.is_fragment(batch.instruction),
        "instruction_pattern": _has_pattern(batch.normal_instruction, _I_AS_AN_AI),
        "response_pattern": _has_pattern(batch.normal_response, _AS_AN_AI_I),
        "response_repeats_instruction": repeats(batch),
        "refusal": refuses(batch.normal_response) | has(batch.normal_response.str.head(REFUSED_WITHIN), _REFUSED),
        "unasked_ai": has(batch.normal_response, _UNASKED) & ~has(batch.normal_instruction, _ASKED),
        "unfinished_response": layout.unfinished(batch.response),
        "not_ascii": ascii_ratio(batch) < MIN_ASCII,
    }
    reasons = {
        "empty_instruction": asked == 0,
        "cut_instruction": (batch.instruction_finish == "length").fill_null(False).to_numpy(),
        "empty_response": answered == 0,
        "cut_response": (batch.response_finish == "length").fill_null(False).to_numpy(),
        **{name: flags & batch.whole for name, flags in whole.items()},
    }
    scores = {"instruction_words": asked.astype(np.int32), "response_words": answered.astype(np.int32)}
    return Findings(reasons, {name: pl.Series(counts) for name, counts in scores.items()})


def refuses(normal_responses: pl.Series) -> Flags:
    """Which responses contain a refusal in the words of the first run, shape (texts,)."""
    return has(normal_responses, _REFUSAL)


def ascii_ratio(batch: Batch) -> NDArray[np.float64]:
    """The share of ASCII characters in a row's texts joined by a blank, shape (rows,)."""
    ascii_ = ascii_characters(batch.instruction) + ascii_characters(batch.response) + 1
    return ascii_ / (batch.instruction.str.len_chars() + batch.response.str.len_chars() + 1).to_numpy()


def repeats(batch: Batch) -> Flags:
    """Which responses repeat the instruction, shape (rows,).

    That is one that begins with the whole instruction, except for its final marks; or one that contains the first five
    words and the last five of the instruction, if at least half of its words are in 5-grams of the instruction. (A
    response that corrects a text repeats the text, but hardly the request around it.)
    """
    long = batch.instruction_words.counts >= REPEATED_FROM_WORDS
    asked = pl.col("asked").str.strip_chars_end(" .,:;!?")
    answer = pl.col("answer")
    begins = (asked != "") & answer.str.starts_with(asked) & ~answer.str.strip_prefix(asked).str.contains(r"\A\w")
    texts = pl.DataFrame({"asked": batch.normal_instruction, "answer": batch.normal_response})
    asks, answers = batch.instruction_words, batch.response_words
    again = _repeats(asks.hashes, asks.offsets, answers.hashes, answers.offsets)
    return again | (texts.select(begins).to_series().to_numpy() & long)


def _has_pattern(texts: pl.Series, as_an_ai: str) -> Flags:
    """Which normalised texts are a greeting, a word of agreement or punctuation, or an assistant's apology."""
    flags = has(texts, f"{_BARE}|{_CANNOT_ANSWER}") | has(texts, f"{_SORRY}|{as_an_ai}")
    # In Python, since the Unicode versions of Rust and Python differ in what is a letter.
    return flags | where(has(texts, _NO_LETTERS), texts, _is_marks)


def _is_marks(texts: pl.Series) -> Flags:
    return np.array([not any(character.isalnum() for character in text) for text in texts], np.bool_)


@njit(cache=True, nogil=True)
def _repeats(asked: U64, asked_offsets: I64, answered: U64, answered_offsets: I64) -> Flags:
    rows = asked_offsets.size - 1
    flags = np.zeros(rows, np.bool_)
    into, room = tally.table(0), 0
    for row in range(rows):
        begin, end = asked_offsets[row], asked_offsets[row + 1]
        first, last = answered_offsets[row], answered_offsets[row + 1]
        if end - begin < REPEATED_FROM_WORDS or last - first < REPEATED_FROM_WORDS:
            continue
        if not _within(asked, begin, answered, first, last):
            continue
        if not _within(asked, end - REPEATED_FROM_WORDS, answered, first, last):
            continue
        if end - begin > room:
            room = end - begin
            into = tally.table(room)
        slots = tally.slots_for(end - begin)
        for word in range(begin, end - REPEATED_FROM_WORDS + 1):
            tally.count(into, slots, row + 1, _phrase(asked, word))
        shared, until = 0, first
        for word in range(first, last - REPEATED_FROM_WORDS + 1):
            if tally.counted(into, slots, row + 1, _phrase(answered, word)):
                shared += word + REPEATED_FROM_WORDS - max(word, until)
                until = word + REPEATED_FROM_WORDS
        flags[row] = 2 * shared >= last - first
    return flags


@njit(cache=True, nogil=True)
def _phrase(words: U64, at: int) -> np.uint64:
    value = mix(words[at])
    for word in range(at + 1, at + REPEATED_FROM_WORDS):
        value = mix(value * _PRIME ^ words[word])
    return value


@njit(cache=True, nogil=True)
def _within(some: U64, at: int, words: U64, begin: int, end: int) -> bool:
    """Whether the five words from `at` occur consecutively between `begin` and `end`."""
    for word in range(begin, end - REPEATED_FROM_WORDS + 1):
        same = 0
        while same < REPEATED_FROM_WORDS and some[at + same] == words[word + same]:
            same += 1
        if same == REPEATED_FROM_WORDS:
            return True
    return False
