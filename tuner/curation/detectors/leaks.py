"""Text that leaks into a generated turn: the tokens of chat templates, the marker of a role, a solution.

An aligned model that completes a user's turn may continue with the assistant's, or with marks of its training texts.
The patterns are Rust's (no look-around), match texts as written, and respect case: `user: root` is a line of a
configuration, `User: ...` is a turn.
"""

import numpy as np
import polars as pl

from tuner.curation.columns.patterns import Flags, has, where
from tuner.curation.columns.text import normalised

# ChatML, Llama 3 and 4, Phi, Qwen, Zephyr, Granite, Command R, GPT-OSS and others write <|name|>, DeepSeek the same
# with wide bars; Llama 2 and Mistral brackets; Gemma its turns.
_TOKENS = (
    r"<\|[A-Za-z][A-Za-z0-9_ ]{0,40}\|>|<\x{ff5c}[A-Za-z][A-Za-z0-9_\x{2581} ]{0,40}\x{ff5c}>"
    r"|\[/?INST\]|<</?SYS>>|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"
    r"|<(?:start|end)_of_turn>"
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
_NAMED = (r"[\w)\"'][?!]", r"(?:assistant|user|model|system)(?m:\r?$)"), (r"[a-z)]\.", r"assistant(?m:\r?$)")
# Each of these contains one of these plain strings, which are found fast.
_NAMES = "Human|HUMAN|Assistant|ASSISTANT|User|USER|assistant|[?!](?:user|model|system)"
# An instruction about a conversation may contain turns.
_CONVERSATION = r"\b(?:conversations?|dialogs?|dialogues?|transcripts?|role-?play\w*|chat (?:log|history))\b"

_FIRST_STEP = r"(?m:^[ \t]*#{1,6} ?\*{0,2}Step 1\b)"
_ANSWER = (
    r"(?m:^[ \t]*(?:#{1,6} ?)?\*{0,2}(?:(?:Correct|Final|Model|Sample|Suggested) )?"
    r"(?:Answer|ANSWER|Solution|SOLUTION)s?(?:\*{2}:|:\*{0,2}))"
)
# `Step 1:` after an empty line, unless the text before announces it.
_PLAIN_STEPS = r"[^:\s]", r"[ \t]*\r?\n[ \t]*\r?\n\s*\*{0,2}Step 1\*{0,2} ?:"


def has_tokens(texts: pl.Series) -> Flags:
    """Which texts contain a token or heading of a template, shape (texts,).

    `</s>` is one too, unless there is an `<s>`, which makes both HTML.
    """
    return has(texts, _TOKENS) | has(texts, _HEADINGS) | (has(texts, "</s>") & ~has(texts, "<s>"))


def has_turns(texts: pl.Series) -> Flags:
    """Which texts contain the marker of a turn, shape (texts,)."""
    named = "|".join("".join(pair) for pair in _NAMED)
    return where(has(texts, _NAMES), texts, lambda some: has(some, f"{_TURN}|{named}"))


def has_solution(instructions: pl.Series) -> Flags:
    """Which instructions continue with their own solution or answer, shape (texts,).

    Several lines that begin with `Answer:` are examples of a task; an empty one asks for the answer.
    """
    answer = f"\n{_ANSWER}"
    answered = (instructions.str.count_matches(answer) == 1).to_numpy() & has(instructions, answer + r"\s*[^\s*]")
    return answered | has(instructions, f"{_FIRST_STEP}|{''.join(_PLAIN_STEPS)}")


def is_conversation(normal_instructions: pl.Series) -> Flags:
    """Which instructions are about a conversation, so that turns are not a leak, shape (texts,)."""
    return has(normal_instructions, _CONVERSATION)


def sanitize(instructions: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Cuts instructions at the first section that leaked into them, as the authors of Magpie did.

    A section begins at a template's token or heading, at a turn unless the instruction is about a conversation, at
    `## Step 1`, at `Step 1:` after an empty line, or at a line that begins with `Answer:` or `Solution:`. An
    instruction that begins with one is left as it is, since its own reason says more than that it is empty.

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
    text = pl.col("text")
    named = [text.str.extract(_before(*pair)).str.len_bytes() for pair in _NAMED]
    at = pl.min_horizontal(
        text.str.find(_TOKENS),
        text.str.find(f"{_HEADINGS}|{_FIRST_STEP}|{_ANSWER}"),
        text.str.extract(_before(*_PLAIN_STEPS)).str.len_bytes(),
        pl.when(~text.str.contains("<s>", literal=True)).then(text.str.find("</s>", literal=True)),
        pl.when(~is_talk).then(pl.min_horizontal(text.str.find(_TURN), *named)),
    )
    kept = text.cast(pl.Binary).bin.slice(0, at).cast(pl.String).str.strip_chars_end()
    return texts.to_frame("text").select(pl.when(at.is_not_null() & (kept != "")).then(kept)).to_series()


def _before(kept: str, leaked: str) -> str:
    """A pattern whose group is the text up to the first leak, with what has to stand before it."""
    return f"(?s)\\A(.*?{kept}){leaked}"
