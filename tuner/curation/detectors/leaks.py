"""Text that leaks into a generated turn: the tokens of chat templates, the marker of a role, a solution.

An aligned model that completes a user's turn may continue with the assistant's, or with marks of its training texts.
The patterns are Rust's (no look-around), match texts as written, and respect case: `user: root` is a line of a
configuration, `User: ...` is a turn.
"""

import re

import numpy as np
import polars as pl

from tuner.curation.columns.patterns import Flags, has, where
from tuner.curation.columns.text import normalised
from tuner.models.thoughts import MARKERS

# ChatML, Llama 3 and 4, Phi, Qwen, Zephyr, Granite, Command R, GPT-OSS and others write <|name|>, DeepSeek the same
# with wide bars; Llama 2 and Mistral brackets; Gemma its turns.
_TOKENS = (
    r"<\|[A-Za-z][A-Za-z0-9_ ]{0,40}\|>|<\x{ff5c}[A-Za-z][A-Za-z0-9_\x{2581} ]{0,40}\x{ff5c}>"
    r"|\[/?INST\]|<</?SYS>>|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"
    r"|<(?:start|end)_of_turn>"
    # What begins and ends thoughts; some of it is words that anyone may write.
    f"|{'|'.join(re.escape(mark) for pair in MARKERS for mark in pair if not mark[0].isalpha())}"
)
# Each of these, of the headings below and `</s>` contains one of these plain strings, which are found fast.
_MARKS = (
    r"<\||<\x{ff5c}|\[/?INST|<</?SYS|\[/?AVAILABLE|\[/?TOOL|\[/?SYSTEM|<start_of|<end_of|</s>"
    r"|think>|think:opensource>|THINK\]|\x{25c1}|<channel\||\[BEGIN FINAL"
    "|### ?(?:Instruction|Response|Human|Assistant|User)"
)
# Alpaca and the first Vicuna.
_HEADINGS = r"(?m:^[ \t]*### ?(?:Instruction|Response|Human|Assistant|User) ?:)"
# A turn: `Assistant: ...`, also bold, at the beginning of a line. `User:` heads many a list of fields, so it has to
# follow an empty line.
_TURN = (
    r"(?m:^[ \t]*\*{0,2}(?:Human|HUMAN|Assistant|ASSISTANT)(?: [0-9])?\*{0,2}:)"
    r"|(?:\A|\n[ \t]*\n)[ \t]*\*{0,2}(?:User|USER)(?: [0-9])?\*{0,2}:"
    r"|(?m:^assistant\r?$)"
)
# If decoding drops special tokens, the role between them stays, after the end of a sentence. Each pair is the end of
# the sentence and the role; `self.model` and `!user` are code.
_NAMED = (
    (r"[\w)\"'][?!]", r"(?:assistant|user|model|system)(?m:\r?$)"),
    (r"[a-z)]\.", r"assistant(?m:\r?$)"),
    # A line of its own, before another turn or at the end.
    (r"[.?!][\"')*]*", r"\s*\n\s*(?:system\s+)?user[ \t]*\r?(?:\n\s*[A-Z]|\s*\z)"),
)
# Each of these contains one of these, which are found fast.
_NAMES = (
    r"(?:Human|HUMAN|Assistant|ASSISTANT|User|USER)(?: [0-9])?\*{0,2}:"
    r"|assistant(?m:\r?$)|[?!](?:user|model|system)(?m:\r?$)|\nuser[ \t]*(?m:\r?$)"
)
# An instruction about a conversation may contain turns.
_CONVERSATION = (
    r"\b(?:conversations?|dialogs?|dialogues?|transcripts?|role-?play\w*|chat (?:log|history)|screenplays?"
    r"|cast(?: list)?|credits|(?:movie|film|tv|stage|radio|comedy|play) scripts?|interviews?|skits?|debates?"
    r"|talks? between|sketch(?:es)?|speakers?|chats? between)\b"
)

# Where tokens are what a text is about. A token at the very beginning or end of a text is a leak all the same.
_ABOUT_TEMPLATES = (
    r"\b(?:chat ?ml|templates?|prompt formats?|(?:special|control|stop|end) tokens?|tokeni[sz]er\w*|delimiters?|tags?"
    r"|(?:open|chat|language|instruct\w*) models?|llama|mistral|mixtral|vicuna|alpaca|gemma|qwen|llms?|fine-?tun\w*)\b"
    r"|[`\"'](?:<\||\[/?inst|</s>|<start_of|### )"
)
# Code of a line or a block, and a short quotation, whose tokens are shown rather than leaked.
_SHOWN = (
    r"(?s:```.*?```)|`[^`\n]*`"
    r"|[\"'\x{201c}\x{2018}](?:<[^>\n]{1,45}>|\[/?[A-Z_]+\]|[A-Z][a-z]+:)[\"'\x{201d}\x{2019}]"
)
# A title or a name behind the marker of a turn, as in lists of games or of a cast: two capitalised words at least, and
# what follows a title.
_TITLE = (
    r"(?m:^[ \t]*\*{0,2}(?:Human|Assistant|User)\*{0,2}: (?:[A-Z][\w'\x{2019}-]*)"
    r"(?: (?:(?:of|the|and|in) )*[A-Z0-9][\w'\x{2019}-]*)+"
    r"(?:[ \t]*\r?$|,| (?:is|was|has|by|\(|-|\x{2013}|\x{2014})))"
)
# Before an answer in an instruction: it is to be judged, or changed.
_JUDGED = (
    r"(?i)\b(?:my|student['\x{2019}]?s?|his|her|their|this|suggested|proposed|candidate|generated|sample"
    r"|example|below|above) (?:\w+ )?(?:answers?|solutions?|attempts?|working|proof|responses?|reasoning)\b"
    r"|\b(?:my|this|student['\x{2019}]?s?) work\b|\bcritique\b|\b(?:give|want|need|provide|for) (?:\w+ )?feedback\b"
    r"|(?:\A|[.!?:\n]\s*|\bto |\bplease )grade (?:this|it|the|my|each|his|her|their)\b"
    r"|\b(?:check|verify|evaluate|assess|judge|review|mark|rate|score|summari[sz]e|improve|shorten|translate) (?:\w+ )?"
    r"(?:the |this |my )?(?:\w+ )?(?:answers?|solutions?|work|steps|guides?|tutorials?|recipes?|manuals?)\b"
    r"|\b(?:is|whether) (?:this|that|the|my) (?:\w+ )?(?:answer|solution|recipe|proof)\b"
)
# Before a line that begins with `Answer:`, which may also be an example of a task.
_GIVEN = (
    rf"{_JUDGED}|\b(?:his|her|their|suggested|proposed|candidate|sample|example|below|above) (?:\w+ )?work\b"
    r"|\b(?:grade|grading|feedback|in this task|teacher)\b|\bexamples?(?: \w+)?\s*:|\b(?:an|one|worked) example\b"
)
# Behind it.
_ASKS_BEHIND = (
    r"(?i)\b(?:is|are|was|were|did|does|do) (?:this|that|it|they|my|the|his|her|i|he|she|you)\b[^.?!\n]{0,60}\?"
    r"|\b(?:where|what|which|why|how)\b[^.?!\n]{0,60}\?\s*\z"
    r"|(?:\A|[.!?\n])\s*(?:please )?(?:grade|check|critique|review|correct|mark|rate|score|rewrite|improve|explain|now)"
    r" (?:this|my|the|it|why|where|what|solve|do|answer|for|in)\b[^\n]{0,120}\z"
)
# Found fast.
_ANY_STEP = "Step [0-9]"
_STEP = r"(?m:^[ \t]*#{1,6} ?\*{0,2}Step [0-9])"
_FIRST_STEP = r"(?m:^[ \t]*#{1,6} ?\*{0,2}Step 1\b)"
# A solution from a later step on.
_LATER_STEP, _ONE = r"(?:\A|\n[ \t]*\r?\n)\s*\*{0,2}Step (?:[2-9]|1[0-9])\*{0,2} ?:", r"\bStep 1\b"
_ANSWER = (
    r"(?m:^[ \t]*(?:#{1,6} ?)?\*{0,2}(?:(?:Correct|Final|Model|Sample|Suggested) )?"
    r"(?:Answer|ANSWER|Solution|SOLUTION)s?(?:\*{2}:|:\*{0,2}))"
)
# `Step 1:` after an empty line, unless the text before announces it.
_BEHIND = 300
"""Characters at the end of an instruction that are searched for a question about an answer before."""
_PLAIN_STEPS = r"[^:\s]", r"[ \t]*\r?\n[ \t]*\r?\n\s*\*{0,2}Step 1\*{0,2} ?:"

# Python's spelling of the same.
_SHOWN_OR_TITLE = re.compile(re.sub(r"\\x\{([0-9a-f]{4})\}", r"\\u\1", f"{_SHOWN}|{_TITLE}"))


def has_tokens(texts: pl.Series, normal_instructions: pl.Series) -> Flags:
    """Which texts contain a token or heading of a template that is not shown as code or quoted, shape (texts,).

    `</s>` is one too, unless there is an `<s>`, which makes both HTML.

    Args:
        texts: As they were written, shape (texts,).
        normal_instructions: The instructions of their rows, normalised; where one is about templates, only a token at
            an end of a text is a leak.
    """
    found = where(has(texts, _MARKS), texts, _any_token)
    if found.any():
        bare = _bare(texts.filter(found))
        at_end = has(bare, rf"\A\s*(?:{_TOKENS})|(?:{_TOKENS}|</s>)\s*\z")
        found[found] = _any_token(bare) & (~is_about_templates(normal_instructions.filter(found)) | at_end)
    return found


def _any_token(texts: pl.Series) -> Flags:
    return has(texts, _TOKENS) | has(texts, _HEADINGS) | (has(texts, "</s>") & ~has(texts, "<s>"))


def _bare(texts: pl.Series) -> pl.Series:
    """Texts with what is shown or a title struck out by underscores, which take as many bytes."""
    return pl.Series(
        texts.name, [_SHOWN_OR_TITLE.sub(lambda shown: "_" * len(shown[0].encode()), text) for text in texts], pl.String
    )


def is_about_templates(normal_instructions: pl.Series) -> Flags:
    """Which instructions are about models' templates, shape (texts,)."""
    return has(normal_instructions, _ABOUT_TEMPLATES)


def has_turns(texts: pl.Series) -> Flags:
    """Which texts contain the marker of a turn, shape (texts,)."""
    named = "|".join("".join(pair) for pair in _NAMED)
    found = where(has(texts, _NAMES), texts, lambda some: has(some, f"{_TURN}|{named}"))
    return where(found, texts, lambda some: has(_bare(some), f"{_TURN}|{named}"))


def has_solution(instructions: pl.Series) -> Flags:
    """Which instructions continue with their own solution or answer, shape (texts,).

    Several lines that begin with `Answer:` are examples of a task; an empty one asks for the answer.
    """
    answer = f"\n{_ANSWER}"
    filled = has(instructions, answer + r"\s*[^\s*]")
    answered = where(filled, instructions, lambda texts: (texts.str.count_matches(answer) == 1).to_numpy())
    steps = where(has(instructions, _ANY_STEP), instructions, _has_steps)
    return where(steps, instructions, lambda texts: ~_is_judged(texts)) | where(
        answered, instructions, lambda texts: ~_is_given(texts)
    )


def _has_steps(texts: pl.Series) -> Flags:
    later = where(has(texts, _LATER_STEP), texts, lambda some: ~has(some, _ONE))
    return later | has(texts, f"{_STEP}|{''.join(_PLAIN_STEPS)}")


def _is_judged(texts: pl.Series) -> Flags:
    """Which texts hold steps that are to be judged or changed."""
    before, behind = _parted(texts, f"{_STEP}|(?:{_PLAIN_STEPS[1]})|{_LATER_STEP}")
    return has(before, _JUDGED) | asks_behind(behind)


def _is_given(texts: pl.Series) -> Flags:
    """Which texts hold an answer that belongs to the task: it is to be judged, or an example."""
    before, behind = _parted(texts, _ANSWER)
    return has(before, _GIVEN) | asks_behind(behind)


def _parted(texts: pl.Series, leak: str) -> tuple[pl.Series, pl.Series]:
    """What stands before a leak, and the rest."""
    # Bytes, since `find` counts these.
    at, data = pl.col("text").str.find(leak).fill_null(0), pl.col("text").cast(pl.Binary).bin
    parts = pl.DataFrame({"text": texts}).select(before=data.slice(0, at), behind=data.slice(at)).cast(pl.String)
    return parts["before"], parts["behind"]


def asks_behind(texts: pl.Series) -> Flags:
    """Which texts end with a question about the answer that they hold, shape (texts,); a step may end with one too."""
    last = texts.str.extract(r"(?s)(?:.*\n[ \t]*\r?\n|\A)(.*)\z")
    return has(texts.str.tail(_BEHIND), _ASKS_BEHIND) & ~(has(texts, _STEP) & has(last, r"\bStep [0-9]"))


def is_conversation(normal_instructions: pl.Series) -> Flags:
    """Which instructions are about a conversation, so that turns are not a leak, shape (texts,)."""
    return has(normal_instructions, _CONVERSATION)


def sanitize(instructions: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Cuts instructions at the first section that leaked into them, as the authors of Magpie did.

    A section begins at a template's token or heading, at a turn unless the instruction is about a conversation, at
    `## Step 1`, at `Step 1:` after an empty line, or at a line that begins with `Answer:` or `Solution:`. An
    instruction that begins with one is left as it is, since its own reason says more than that it is empty. An answer
    that is to be judged or followed is no leak, nor is a token in code marks.

    Source: `instruction_post_process` of the code published with Xu et al., Magpie (arXiv 2406.08464). It also
    removes headings such as 'Task:' and the text after the first question mark, which is not done here.

    Args:
        instructions: As they were written, shape (texts,).

    Returns:
        The instructions without the leaked sections and the white space before them, and what was cut off, null where
        nothing was; shape (texts,) each. Sanitizing again changes nothing.
    """
    # A copy, since `scatter` works in place.
    cleaned, places = instructions.clone(), np.arange(len(instructions))
    # Repeated, since the remaining text may contain another section.
    while places.size:
        shorter = _shortened(cleaned.gather(places))
        is_cut = shorter.is_not_null().to_numpy()
        places = places[is_cut]
        cleaned.scatter(places, shorter.filter(is_cut))
    frame = pl.DataFrame({"text": instructions, "cleaned": cleaned})
    text, kept = pl.col("text"), pl.col("cleaned")
    return cleaned, frame.select(pl.when(text != kept).then(text.str.strip_prefix(kept))).to_series()


def _shortened(texts: pl.Series) -> pl.Series:
    """The text before the first leaked section, null if there is no section or no text before it."""
    is_talk = pl.lit(pl.Series(is_conversation(normalised(texts))))
    is_about = pl.lit(pl.Series(is_about_templates(normalised(texts))))
    is_given, is_judged = pl.lit(pl.Series(_is_given(texts))), pl.lit(pl.Series(_is_judged(texts)))
    original, text = pl.col("text"), pl.col("bare")
    named = [text.str.extract(_before(*pair)).str.len_bytes() for pair in _NAMED]
    at = pl.min_horizontal(
        pl.when(~is_about).then(pl.min_horizontal(text.str.find(_TOKENS), text.str.find(_HEADINGS))),
        pl.when(is_about).then(text.str.find(rf"(?:{_TOKENS})\s*\z")),
        pl.when(~is_given).then(text.str.find(_ANSWER)),
        pl.when(~is_judged).then(
            pl.min_horizontal(text.str.find(_FIRST_STEP), text.str.extract(_before(*_PLAIN_STEPS)).str.len_bytes())
        ),
        pl.when(~is_about & ~text.str.contains("<s>", literal=True)).then(text.str.find("</s>", literal=True)),
        pl.when(~is_talk).then(pl.min_horizontal(text.str.find(_TURN), *named)),
    )
    kept = original.cast(pl.Binary).bin.slice(0, at).cast(pl.String).str.strip_chars_end()
    frame = pl.DataFrame({"text": texts, "bare": _bare(texts)})
    return frame.select(pl.when(at.is_not_null() & (kept != "")).then(kept)).to_series()


def _before(kept: str, leaked: str) -> str:
    """A pattern whose group is the text up to the first leak, with what has to stand before it."""
    return f"(?s)\\A(.*?{kept}){leaked}"
