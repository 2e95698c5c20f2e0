r"""Whether both texts are present, complete and of allowed length, and are an instruction and its response.

The bare greetings, apologies, refusals and endings are those of the project's first run, with its mistakes corrected.
They are matched at word boundaries: 'was an aid' is not 'as an AI', 'Lori can't help' not 'I can't help'. Typographic
apostrophes count as plain ones. 'As an AI engineer' is no apology. The patterns are Rust's (no look-around) and are
matched against normalised texts; their boundaries are those of ASCII words.

The phrases are English and apply to English rows only (`language.is_english`). What stands in quotation marks, in
code or far into a response is not the assistant's own voice; where the instruction orders a text (a letter, a story, an
excuse), a refusal is only one that names the request or the assistant.
"""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.checks.form import Form
from tuner.curation.columns import layout, tally
from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.columns.patterns import Flags, has, where
from tuner.curation.columns.scripts import LATIN, letters
from tuner.curation.columns.words import I64, U64, ascii_characters, mix
from tuner.curation.detectors import asking, leaks
from tuner.curation.detectors.language import is_english
from tuner.curation.detectors.leaks import sanitize as sanitize

MIN_LATIN = 0.8
HELPFUL_FROM_WORDS = 50
"""A response this long that goes on after naming a limitation helps nevertheless."""
REPEATED_FROM_WORDS = 5
"""A shorter instruction may well occur in its response: 'Define entropy.'"""
REFUSED_WITHIN = 200
"""Characters. Further on, such words are mostly part of a story."""

_PRIME = np.uint64(0x100000001B3)

_B = r"(?-u:\b)"
# An apostrophe, typed or typeset.
_A = r"['\x{2019}]"

_BARE = r"\A(?:hi|hello|hey|ok|okay|sure|thanks|thank you)[ .!]*\z"
# An assistant that names itself while it offers or gives what was asked for.
_OFFER = (
    rf"as an? (?:ai|(?:large )?language model)(?: (?:(?:large )?language )?(?:model|assistant|chatbot|system))?, ?i"
    rf"(?: (?:can|could|will|would)|{_A}(?:ll|d))(?: certainly| definitely| gladly| still| also| try to| be happy to)?"
    r" (?:help|assist|offer|provide|share|give|explain|suggest|recommend|tell|show|create|write|evaluate|guide)"
)
# What asks for a word that would otherwise be bare, and for a sign.
_ASKS_WORD = (
    rf"{_B}(?:translat\w*|say|saying|word|phrase|label|greet\w*|reply|respond|answer|output|print\w*|complete"
    rf"|fill|classif\w*|which|mean|means|in english){_B}|\A(?:hi|hello|hey|ok|okay|thanks|thank you)[ .!]*\z"
)
_ASKS_SIGN = (
    rf"{_B}(?:symbols?|characters?|punctuation|operators?|emojis?|emoticons?|signs?|marks?|brackets?|delimiters?"
    rf"|smileys?|expression|kaomoji|syntax|comma|separator){_B}"
)
_CANNOT_ANSWER = rf"\Ai (?:don{_A}t|cannot|can{_A}t) (?:help|assist|answer){_B}"
_SORRY = (
    rf"\A\W*(?:unfortunately, )?"
    rf"(?:(?:i{_A}m|i am) (?:so |very |really |truly )?sorry, but i|i apologi[sz]e, but){_B}"
)
_AS_AN_AI = rf"{_B}as an ai(?: (?:(?:large )?language )?(?:model|assistant|chatbot|system))?"
# 'As an AI, what do you like?' is a question of a user.
_I_AS_AN_AI = rf"{_AS_AN_AI}(?:[.;:!?)]|\z|,? (?:i|my|it|there|we){_B})"
_AS_AN_AI_I = rf"{_AS_AN_AI}(?:[,.;:!?)]|\z| (?:i|my){_B})"
_NOT = rf"(?: (?:can{_A}t|cannot|can not|won{_A}t|will not|am unable to|am not able to)|{_A}m (?:unable|not able) to)"
# Words of every apology and refusal. What is quoted becomes a blank, so that a word may also stand behind its mark.
_SPEAKS = (
    rf"can{_A}t|cannot|won{_A}t|don{_A}t|unable|(?:can|will|am|{_A}m|do) not|[\"`\x{{201d}}]not|declin|refus"
    r"|guidelines|programming|policies|sorry,|apologi[sz]e,|an ai|[\"`\x{201d}]ai"
)
# What a response does not say in its own voice, and what is no refusal.
_QUOTED = (
    r"(?s:```.*?(?:```|\z))|`[^`]*`|\"[^\"]*(?:\"|\z)|\x{201c}[^\x{201d}]*(?:\x{201d}|\z)"
    rf"|{_B}i (?:can{_A}t|cannot|can not) help (?:but|it|myself|wondering|thinking|smiling|noticing|feeling){_B}"
    rf"|{_B}(?:why|where|when|if) i{_NOT} |{_B}{_OFFER}{_B}"
)
_REFUSAL = (
    rf"{_B}i{_NOT} (?:help|assist|provide|fulfill?|comply with|engage in|participate in|support|offer you"
    r"|answer (?:that|this|your)|discuss (?:that|this)"
    rf"|(?:create|generate|write|produce) (?:content|explicit|any|that|this|an?)|do (?:that|this)|give you"
    rf"|tell you){_B}|{_B}i (?:must|have to) (?:respectfully |politely )?(?:decline|refuse){_B}"
    rf"|{_B}against my (?:guidelines|programming|policies){_B}"
)
_LIMITED = (
    rf"{_B}i(?:(?:{_A}m| am) (?:not able|unable) to"
    rf"| (?:don{_A}t|do not) have (?:access|the (?:ability|capability))){_B}"
)
_GOES_ON = rf"{_B}(?:however|but i can|instead|that said|nevertheless|in general|here (?:is|are)|you can){_B}"
# A refusal of a text that the instruction orders.
_OF_REQUEST = (
    rf"\A[^.!?]{{0,80}}{_B}i{_NOT} (?:fulfill?|comply with|engage in|create|generate|write|produce|(?:help|assist)"
    rf"(?: you)? with (?:that|this)(?: request)?[.,;]|provide (?:that|this|content)|do (?:that|this)[.,;])"
    rf"|\A[^.!?]{{0,80}}{_B}i (?:must|have to) (?:respectfully |politely )?decline (?:to write|to create|this request)"
    rf"|{_B}against my (?:guidelines|programming|policies){_B}|\A\W*as an ai{_B}"
)
_ORDERS_TEXT = (
    rf"{_B}(?:letters?|e-?mails?|mails?|story|stories|scenes?|examples?|poems?|haikus?|songs?|lyrics|dialog(?:ue)?s?"
    r"|conversations?|speech|monologues?|excuses?|tweets?|posts?|messages?|texts?|notes?|repl(?:y|ies)|reviews?"
    r"|reports?|diary|journal|paragraphs?|scripts?|essays?|novels?|fiction|jokes?|apolog(?:y|ies)|complaints?|refusals?"
    r"|declin(?:e|es|ing)|refus(?:e|es|ing)|turn(?:ing)? down|role-?play\w*|pretend|imagine|persona|character"
    rf"|translat\w*|paraphrase|rephrase|rewrite|statement|sentences?){_B}"
)
# An assistant with tools that says which of them it has answers the question.
_OWN_TOOLS = (
    rf"{_B}external tasks?{_B}|{_B}my (?:current )?(?:functions?|capabilit(?:y|ies)){_B}"
    rf"|{_B}functions? (?:provided|available|for that|to){_B}|{_B}no function{_B}|{_B}functions? i have{_B}"
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
    rf"|you are|you{_A}re|are you|your name|yourself|(?:made|created|built|developed|trained|designed|programmed) you"
    rf"|do you (?:have|like|feel|think|know|want|sleep|eat|dream)){_B}"
)
# Requests that cannot be met without the text itself.
_AGAIN = (
    rf"{_B}(?:repeat|correct|translate|continue|rewrite|proofread|edit|fix|copy|complete|quote|echo|paraphrase|rephrase"
    r"|recite|reformat|transcribe|punctuate|capitali[sz]e|format|finish|type|say|write out)(?: (?:and|or) \w+)?"
    r"(?::| (?:this|these|the following|the (?:sentence|text|word|phrase|paragraph|story|code|quote|poem"
    r"|function|passage|line|dialogue|conversation)|what i|after me"
    r"|my (?:sentence|text|message|question|prompt|words)|it|exactly|back)"
    rf"{_B}| [\"'\x{{201c}}`])"
)
# Languages that are not written in Latin letters, and words for moving between languages or scripts.
_FOREIGN = (
    rf"{_B}(?:translat\w*|translit\w*|languages?|multilingual|bilingual|alphabets?|scripts?|unicode|romani[sz]\w*"
    r"|arabic|armenian|bengali|bulgarian|burmese|cantonese|chinese|farsi|georgian|greek|gujarati|hebrew|hindi|japanese"
    r"|kanji|hiragana|katakana|kannada|kazakh|khmer|korean|hangul|lao|macedonian|malayalam|mandarin|marathi|mongolian"
    r"|nepali|oriya|odia|pashto|persian|punjabi|russian|cyrillic|sanskrit|serbian|sinhala|tamil|telugu|thai|tibetan"
    rf"|ukrainian|urdu|uyghur|yiddish|amharic|belarusian|tatar){_B}"
)
# What follows a sentence that is said again; a phrase that is explained goes on: 'In a nutshell means ...'.
_ENDS_SENTENCE = r"\A\s*(?:[.:;?!\x{2026}\x{3002}\x{ff01}\x{ff1f}\x{ff1a}]|\z)"
# Of Python's white space, these are none to Rust.
_NO_SPACE = r"[^\s\x1c-\x1f]"
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
    turns = leaks.has_turns(batch.instruction) | leaks.has_turns(batch.response)
    english = is_english(batch)
    heads = _own_voice(batch.normal_response)
    spoken = {
        "response_pattern": _response_pattern(batch, heads, english),
        "refusal": english & _refuses(batch, heads),
        "unasked_ai": english & _names_itself(batch),
    }
    tools = where(np.logical_or.reduce([*spoken.values()]), batch.normal_response, _names_tools)
    whole = {
        "short_instruction": asked < fewest,
        "long_instruction": asked > most,
        "short_response": answered < least,
        "long_response": answered > longest,
        "leaked_template": leaks.has_tokens(batch.instruction, batch.normal_instruction)
        | leaks.has_tokens(batch.response, batch.normal_instruction)
        | where(turns, batch.normal_instruction, lambda texts: ~leaks.is_conversation(texts)),
        "instruction_is_answer": asking.is_answer(batch.instruction),
        "instruction_as_assistant": english & asking.is_assistant(batch.instruction, batch.normal_instruction),
        "instruction_is_fragment": asking.is_fragment(batch.instruction),
        "instruction_pattern": instruction_pattern(batch.normal_instruction, english),
        **{name: flags & ~tools for name, flags in spoken.items()},
        "response_repeats_instruction": where(
            repeats(batch), batch.normal_instruction, lambda texts: ~has(texts, _AGAIN)
        ),
        "unfinished_response": layout.unfinished(batch.response),
        "not_ascii": _is_foreign(batch),
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


def empty(batch: Batch) -> Findings:
    """Finds rows with a turn of white space only, or without a turn.

    Returns:
        The reasons `empty_instruction` and `empty_response`.
    """
    messages = batch.messages
    blank = ~has(messages.texts, _NO_SPACE)
    reasons = {
        name: messages.any(said & blank) | ~messages.any(said)
        for name, said in (
            ("empty_instruction", messages.by("user")),
            ("empty_response", messages.by("assistant")),
        )
    }
    return Findings(reasons)


def _own_voice(normal_responses: pl.Series) -> pl.Series:
    """The beginnings of responses without what is quoted, code or an idiom; empty where nothing of interest is said."""
    heads = normal_responses.str.head(REFUSED_WITHIN)
    speaking = has(heads, _SPEAKS)
    nothing = pl.Series([""]).new_from_index(0, len(heads))
    return nothing.scatter(np.flatnonzero(speaking), _unquoted(heads.filter(speaking)))


def _unquoted(heads: pl.Series) -> pl.Series:
    return heads.str.replace_all(_QUOTED, " ")


def _names_tools(normal_responses: pl.Series) -> Flags:
    """Which responses say at their beginning which tools they have."""
    return has(_unquoted(normal_responses.str.head(REFUSED_WITHIN)), _OWN_TOOLS)


def _refuses(batch: Batch, heads: pl.Series) -> Flags:
    """Which responses refuse at their beginning, shape (rows,)."""
    refusing = has(heads, _REFUSAL) | where(has(heads, _LIMITED), batch.normal_response, lambda texts: ~_helps(texts))
    return refusing & ~_is_ordered(refusing, batch, heads)


def _is_ordered(candidates: Flags, batch: Batch, heads: pl.Series) -> Flags:
    """Which of these responses are texts that the instruction orders, and no refusal of that."""
    ordered = where(candidates, batch.normal_instruction, lambda texts: has(texts, _ORDERS_TEXT))
    return where(ordered, heads, lambda some: ~has(some, _OF_REQUEST))


def _helps(normal_responses: pl.Series) -> Flags:
    """Which responses that name a limitation are long enough to be an answer, and go on with one."""
    long = (normal_responses.str.count_matches(" ") >= HELPFUL_FROM_WORDS - 1).to_numpy()
    return where(long, normal_responses, lambda texts: has(texts, _GOES_ON))


def _names_itself(batch: Batch) -> Flags:
    """Which responses name themselves an AI, outside quotation marks, although nothing was asked about it."""

    def outside_quotes(texts: pl.Series) -> Flags:
        return has(_unquoted(texts), _UNASKED)

    named = where(has(batch.normal_response, _UNASKED), batch.normal_response, outside_quotes)
    return where(named, batch.normal_instruction, lambda texts: ~has(texts, _ASKED))


def _response_pattern(batch: Batch, heads: pl.Series, english: Flags) -> Flags:
    """Which responses are a bare greeting or sign that nothing asks for, or begin with the apology of an assistant.

    An apology that goes on with an answer is none.
    """
    texts = batch.normal_response
    bare = has(texts, f"{_BARE}|{_NO_LETTERS}")
    greets = where(bare & english, texts, lambda some: has(some, _BARE))
    pattern = greets | (english & _apologises(heads, _AS_AN_AI_I)) | where(bare, texts, _is_marks)
    if pattern.any():
        bare &= pattern
        pattern &= ~where(bare, batch.normal_instruction, lambda some: has(some, f"{_ASKS_WORD}|{_ASKS_SIGN}"))
        # An apology may be what was ordered.
        sorry = where(pattern, heads, lambda some: has(some, _SORRY) & ~has(some, rf"{_B}ai{_B}"))
        pattern &= ~_is_ordered(sorry, batch, heads)
        pattern &= bare | where(pattern, texts, lambda some: ~_helps(some))
    return pattern


def instruction_pattern(texts: pl.Series, english: Flags) -> Flags:
    """Which normalised instructions are only punctuation, or an assistant's apology."""
    return (english & _apologises(texts, _I_AS_AN_AI)) | where(has(texts, _NO_LETTERS), texts, _is_marks)


def _apologises(texts: pl.Series, as_an_ai: str) -> Flags:
    return has(texts, f"{_CANNOT_ANSWER}|{_SORRY}") | where(
        has(texts, "as an ai"), texts, lambda some: has(some, as_an_ai)
    )


def _is_foreign(batch: Batch) -> Flags:
    """Which rows are in other letters than those of the wanted languages, shape (rows,).

    Only where all of these are written in Latin letters, and not where the instruction speaks of another language.
    """
    if batch.wanted is None or not LATIN.issuperset(batch.wanted):
        return np.zeros(len(batch), np.bool_)
    texts = batch.instruction, batch.response
    beyond_ascii = [(text.str.len_bytes() != text.str.len_chars()).to_numpy() for text in texts]
    foreign = np.logical_or(*beyond_ascii)
    if foreign.any():
        (asked, others_asked), (answered, others_answered) = (letters(text.filter(foreign)) for text in texts)
        latin, other = asked + answered, others_asked + others_answered
        foreign[foreign] = latin < MIN_LATIN * (latin + other)
    return where(foreign, batch.normal_instruction, lambda texts: ~has(texts, _FOREIGN))


def ascii_ratio(batch: Batch) -> NDArray[np.float64]:
    """The share of ASCII characters in a row's texts joined by a blank, shape (rows,)."""
    ascii_ = ascii_characters(batch.instruction) + ascii_characters(batch.response) + 1
    return ascii_ / (batch.instruction.str.len_chars() + batch.response.str.len_chars() + 1).to_numpy()


def repeats(batch: Batch) -> Flags:
    """Which responses repeat the instruction, shape (rows,).

    That is one whose first sentence is the whole instruction; or one that contains the first five
    words and the last five of the instruction, if at least half of its words are in 5-grams of the instruction. (A
    response that corrects a text repeats the text, but hardly the request around it.)
    """
    asked = batch.normal_instruction.str.strip_chars_end(" .,:;!?\u3002\uff01\uff1f\uff1a")
    texts = pl.DataFrame({"asked": asked, "answer": batch.normal_response})
    begins = texts.select(pl.col("answer").str.starts_with(pl.col("asked")) & (pl.col("asked") != ""))
    begins = begins.to_series().to_numpy(writable=True)
    begins &= batch.instruction_words.counts >= REPEATED_FROM_WORDS
    if begins.any():
        rest = batch.normal_response.filter(begins).str.strip_prefix(asked.filter(begins))
        begins[begins] = has(rest, _ENDS_SENTENCE)
    asks, answers = batch.instruction_words, batch.response_words
    return begins | _repeats(asks.hashes, asks.offsets, answers.hashes, answers.offsets)


def _is_marks(texts: pl.Series) -> Flags:
    # In Python, since the Unicode versions of Rust and Python differ in what is a letter.
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
