"""Whether an instruction is one: not an answer, not a turn of the assistant, not a fragment of a sentence.

All three are recognised by how a text begins and ends, and do not apply if the text requests something: 'Here is a
list: 3, 5. Sort them.' is an instruction. The patterns are Rust's (no look-around).
"""

import polars as pl

from tuner.curation.columns.patterns import Flags, has, where
from tuner.curation.detectors.leaks import asks_behind, has_solution

# Characters at the end of a text that are searched for a request.
_TAIL = 300

# An apostrophe, typed or typeset.
_A = r"['\x{2019}]"
_VERBS = (
    "(?:analy[sz]e|answer|arrange|calculate|categori[sz]e|classify|compare|complete|compose|compute|continue|convert"
    "|correct|count|create|critique|debug|decide|define|derive|describe|design|determine|develop|discuss|draft|edit"
    "|estimate|evaluate|expand|explain|extract|fill|find|finish|fix|generate|give|guess|identify|implement|improve"
    "|list|make|match|name|optimi[sz]e|order|organi[sz]e|outline|paraphrase|pick|plan|predict|proofread|propose|prove"
    "|provide|rank|rate|rearrange|recommend|refactor|rephrase|replace|reverse|rewrite|select|shorten|show|simplify"
    "|solve|sort|state|suggest|summari[sz]e|tell|transform|translate|turn|use|verify|write)"
)
_QUESTIONS = "(?:what|how|why|which|who|whose|when|where|is|are|do|does|did|can|could|should|would)"
_LEAD = "(?:(?:now|then|next|also|and|so|please),? )*"

_REQUEST = (
    r"(?i)\?|\bplease\b|\b(?:can|could|would|will) you\b|\bhelp me\b|\bfor you to\b|\bto (?:translate|summari[sz]e"
    r"|rewrite|paraphrase|proofread|edit|classify|correct|sort|analy[sz]e|review)\b"
    r"|(?m:^\W*(?:task|instructions?|question|prompt|exercise|problem)\*{0,2}:)"
)
_BEGINS_WITH_REQUEST = rf"(?i)\A\s*{_LEAD}(?:{_VERBS}|{_QUESTIONS})\b"
_SENTENCE_REQUESTS = rf"(?i)(?:[.!?][\"'\x{{201d}})*]*\s+|\n\s*\n\s*){_LEAD}(?:{_VERBS}|{_QUESTIONS})\b"
_PARAGRAPH_REQUESTS = rf"(?i)\n\s*\n\s*{_LEAD}(?:{_VERBS}|{_QUESTIONS})\b"
_FIRST_PERSON = rf"\b(?:my|our|I|I{_A}(?:m|ve|d))\b"
# Points of a list may name tasks that are not requests to the reader: 'Make a list'.
_POINT = r"(?m:^[ \t]*(?:[0-9]+[.)]|[-*\x{2022}])[ \t]+)"

# How only an answer begins, after marks of Markdown.
_ANSWER = (
    r"(?i)\A[\s#*_>]*(?:"
    r"step [0-9]+\*{0,2} ?(?:[:.)]|[-\x{2013}\x{2014}] )"
    r"|answers?\*{0,2}:|explanation\*{0,2}:"
    r"|(?:the )?(?:final|correct|right) answer(?: is\b|\*{0,2}:)"
    rf"|(?:sure|certainly|of course|absolutely)(?: thing)?(?:!|[,.]? (?:here(?:{_A}s| is| are)|let me|let{_A}s|i can"
    rf"|i{_A}d|i{_A}ll|i will|i would)\b)"
    rf"|(?:that{_A}s an? )?(?:great|good|excellent|interesting) question[!.,]"
    r")"
    r"|\A\s*#{1,6} ?\*{0,2}Step [0-9]"
)
# How an answer begins, or an instruction that starts with its material.
_MATERIAL = (
    r"(?i)\A[\s#*_>]*(?:"
    rf"here(?:{_A}s| is| are)\b"
    r"|the answer (?:to (?:this|the|your) [^.?!\n]{1,60} )?is\b"
    r"|(?:sure|certainly|of course|absolutely)[,.]"
    r"|solutions?\*{0,2}:"
    r"|to (?:solve|answer|find|determine|calculate|compute|address|prove|simplify|evaluate|understand)\b"
    rf"[^.?!\n]{{0,120}}, (?:we|you|let{_A}s|let us)\b"
    rf"|let{_A}s (?:break|solve|analy[sz]e|start (?:by|with)|go through|work through|denote|first|find|calculate|use)\b"
    rf"|first(?:ly)?, (?:we|you|let{_A}s|let us)\b"
    rf"|(?:yes|no), (?:it|you|there|that|this|they|the|we)(?:{_A}s)?\b"
    r"|(?:therefore|thus|hence|in conclusion|in summary|in short|to summari[sz]e|overall), "
    r"|(?:so|thus|hence|therefore),? the (?:\w+ ){0,2}?(?:answer|result|total|sum|difference|product|cost|number|value)"
    r"\b[^.?!\n]{0,60}?(?:\b(?:is|are|was|were)\b|=)"
    r")"
    r"|\A\s*[-*\x{2022}] \*\*"
)
_POINTS = r"\A\s*[0-9]{1,2}[.)] \*\*"
# A text that ends in a sum worked out is a solution, if nothing is asked and there is no doubt about the sum.
_RESULT = r"= ?\$?[0-9]"
_WORKED_OUT = rf"[0-9)] ?(?:[-+*/x\x{{d7}}\x{{f7}}]|\\times) ?\$?[0-9(][^=\n]{{0,30}}{_RESULT}"
_RESULT_ENDS = rf"{_RESULT}[0-9.,]*[^=.?!\n]{{0,60}}[.!]\s*\z"
_DOUBTED = (
    r"(?i)\A\W*(?:if|given|suppose|let|when|assume)\b|[=:]\s*\z"
    r"|\b(?:true|false|correct|wrong|check|why|prove|puzzles?|next|patterns?|missing|examples?)\b"
)
_ENGLISH_SENTENCE = r"(?i)\b(?:is|are|was|were|so|we|by|the|has|have|will)\b"
_SENTENCE_WORDS = 8
# After a question, how its answer begins.
_ACCEPTED = (
    rf"(?i)\?[\"')*]*\s*\n\s*(?:sure|certainly|of course|absolutely)(?:[,!.] |, )"
    rf"(?:i(?:{_A}d| would|{_A}ll| will|{_A}m| am) (?:be )?(?:happy|glad|delighted) to|here(?:{_A}s| is| are)\b)"
)
# How a user begins to describe a problem.
_TROUBLE = rf"(?i)\Ahere(?:{_A}s| is) (?:the (?:thing|deal|situation)|what (?:i|we)\b)"

# What assistants say, on normalised text.
_HELP = (
    rf"(?:(?:i{_A}d|i would|i{_A}ll) be (?:happy|glad|delighted) to (?:help|assist)(?: you\b| with\b|[,.!]|\z)"
    rf"|i(?:{_A}m| am) (?:happy|glad|here) to (?:help|assist)(?: you\b| with\b|[,.!]|\z)"
    r"|(?:how|what) (?:can|may) i (?:help|assist) you(?: with)?(?: today| further)?[?!.]|what can i do for you\b"
    r"|i can (?:help|assist) you (?:with|in)\b"
    r"|as an? (?:ai(?: (?:language )?(?:model|assistant|chatbot))?|(?:large )?language model),? (?:i|my)\b"
    rf"|i(?:{_A}m| am) an ai(?: (?:language )?(?:model|assistant|chatbot))?"
    r"(?:[,.!]| (?:and|so|designed|created|trained)\b)"
    rf"|i(?:{_A}m| am) sorry,? (?:but )?i(?: can{_A}t| cannot|{_A}m unable to| am unable to)"
    r" (?:help|assist|provide|answer)\b"
    r"|feel free to (?:ask|reach out)\b|i hope this helps\b|is there anything else (?:i can|you)\b"
    r"|let me know if you (?:have|need) (?:any |further |more |other |additional )*"
    r"(?:questions?|help|assistance|clarification|concerns)\b"
    r"|would you like me to\b|thank you for (?:reaching out|your question|asking))"
)
# Greetings and agreement may come first.
_TALK = (
    r"\A(?:(?:hi|hello|hey|sure|certainly|of course|absolutely|great|yes|okay|welcome)(?: there| thing)?[,.!]+ |please "
    rf"|thank you(?: for [^.!?]{{1,60}})?[.!] )*{_HELP}"
)

# Closing punctuation, unless a word follows directly: `.NET`, `:hover`. Smileys are excluded.
_CLOSING = r"\A\s*(?:[,;)\]}]|(?:[.:!?\x{2026}]|\.{2,})(?:\s|\z))"
_SMILEY = r"\A\s*[:;]-?[()DP](?:\s|\z)"
# How a sentence continues; it then has to end.
_REST = (
    r"\A\s*(?:(?:and|or|but|nor|than|of|which|whose|whom|been|being|into|onto|upon)\b"
    rf"|(?:s|ll|ve|ing|tion) |{_A}(?:s|t|ll|ve|re|d|m) )"
)
_SENTENCE_END = r"[.!][\"')\x{201d}]?\s*\z"
_OPEN_END = r"(?:,|[\[{]|(?:\A|[^:])\(|\b(?:the|an|and|because|your|my))\s*\z"
# The sentence that ends in a colon. A task of three words or more announces its material, unless that is quoted, or
# comes before: above the last line, or after another colon. 'Answer:' announces nothing.
_COLON_END = r"(?:\A|[.?!\n])\s*([^.?!\n]*):\*{0,2}\s*\z"
# The last character of what matches one of the two, found fast.
_ANY_END = r"[,\[{(:*denry]\s*\z"
_QUOTES = r"[\"`\x{201c}\x{201d}\x{ab}\x{bb}]|(?:\s|\A)['\x{2018}]"
_NEEDS = (
    rf"(?i)\A\s*{_LEAD}(?:analy[sz]e|answer|arrange|calculate|categori[sz]e|classify|complete|convert|correct|edit|evaluate"
    "|extract|fill|fix|identify|improve|match|order|paraphrase|proofread|rank|rearrange|rephrase|rewrite|shorten|simplify"
    r"|solve|sort|summari[sz]e|transform|translate)\b"
)
# Where an open end is the text to go on with.
_CONTINUES = (
    r"(?i)\b(?:continue|complete|finish|fill|expand|extend|predict|(?:begin|start|open)(?:s|ning|ing)?)\b[^.?!\n]{0,60}"
    r"\b(?:stor(?:y|ies)|sentences?|texts?|phrases?|words?|paragraphs?|lines?|lyrics|poem|code|passage|blanks?|following|this"
    r"|with)\b|\bnext (?:word|line|sentence|token)\b"
)
_ANNOUNCES = r"(?i)\b(?:following|below|as follows|such as|for example|including)\b"


def is_answer(instructions: pl.Series) -> Flags:
    """Which instructions begin like an answer or within one, end in a sum, or continue with their own solution.

    Args:
        instructions: As they were written, shape (texts,).
    """
    begins = has(instructions, f"{_ANSWER}|{_MATERIAL}|{_POINTS}")
    return (
        where(begins, instructions, _begins_as_answer)
        | where(has(instructions, _RESULT), instructions, _works_out)
        | has(instructions, _ACCEPTED)
        | has_solution(instructions)
    )


def _begins_as_answer(texts: pl.Series) -> Flags:
    material = where(has(texts, _MATERIAL), texts, lambda some: ~has(some, _TROUBLE))
    return (
        where(has(texts, _ANSWER), texts, lambda some: ~asks_behind(some))
        | where(material, texts, lambda some: ~(_asks(some) | has(some, _FIRST_PERSON)))
        | where(has(texts, _POINTS), texts, lambda some: ~_asks(some, _PARAGRAPH_REQUESTS))
    )


def _works_out(texts: pl.Series) -> Flags:
    worked_out = has(texts, _RESULT_ENDS) & has(texts, _WORKED_OUT) & has(texts, _ENGLISH_SENTENCE)
    worked_out &= (texts.str.count_matches("[A-Za-z]+") >= _SENTENCE_WORDS).to_numpy()
    wanted = f"{_BEGINS_WITH_REQUEST}|{_FIRST_PERSON}|{_DOUBTED}"
    return where(worked_out, texts, lambda some: ~(_asks(some) | has(some, wanted)))


def is_assistant(instructions: pl.Series, normal_instructions: pl.Series) -> Flags:
    """Which instructions begin with phrases of an assistant, or contain them and request nothing.

    Args:
        instructions: As they were written, shape (texts,).
        normal_instructions: The same, normalised.
    """
    # What matches _TALK contains _HELP behind a blank or at its beginning.
    helps = has(normal_instructions, rf"\b{_HELP}")
    return where(helps, normal_instructions, lambda texts: has(texts, _TALK)) | where(
        helps,
        instructions,
        lambda texts: ~(_asks(texts) | has(texts, _BEGINS_WITH_REQUEST) | has(texts, r"\b[Mm]y\b")),
    )


def is_fragment(instructions: pl.Series) -> Flags:
    """Which instructions begin or end in the middle of a sentence, or announce material that does not follow.

    A lower-case letter at the beginning is common and no sign. Words that only continue a sentence are one, if the
    sentence ends and requests nothing.

    Args:
        instructions: As they were written, shape (texts,).
    """
    return where(has(instructions, f"{_CLOSING}|{_REST}"), instructions, _begins_inside) | where(
        has(instructions, _ANY_END), instructions, _ends_inside
    )


def _begins_inside(texts: pl.Series) -> Flags:
    rest = where(has(texts, _REST), texts, lambda some: has(some.str.tail(_TAIL), _SENTENCE_END))
    return where(has(texts, _CLOSING), texts, lambda some: ~has(some, _SMILEY)) | where(
        rest, texts, lambda some: ~_asks(some)
    )


def _ends_inside(texts: pl.Series) -> Flags:
    is_open = has(texts.str.tail(_TAIL), _OPEN_END)
    return where(is_open, texts, lambda some: ~has(some, _CONTINUES)) | where(has(texts, _COLON_END), texts, _announces)


def _announces(texts: pl.Series) -> Flags:
    sentences = texts.str.extract(_COLON_END)
    alone = ~has(texts.str.strip_chars(), "\n")
    has_material = has(sentences, f"{_QUOTES}|:")
    long = (sentences.str.count_matches(r"\S+") >= 3).to_numpy()
    return long & ~has_material & (has(sentences, _ANNOUNCES) | (alone & has(sentences, _NEEDS)))


def _asks(texts: pl.Series, requests: str = _SENTENCE_REQUESTS) -> Flags:
    """Which texts contain a request, or a sentence at their end that begins like one."""
    unlisted = texts.str.replace_all(_POINT, "\u2022 ").str.tail(_TAIL)
    return has(texts, _REQUEST) | has(unlisted, requests)
