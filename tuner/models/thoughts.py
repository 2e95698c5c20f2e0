"""The thoughts that a reasoning model writes before its answer, and how they are told from it."""

import re
from dataclasses import dataclass

MARKERS = (
    ("<think>", "</think>"),  # DeepSeek-R1, Qwen3, GLM, Nemotron, SmolLM3 and most others
    ("<|channel|>analysis<|message|>", "<|end|>"),  # gpt-oss
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command
    ("[THINK]", "[/THINK]"),  # Magistral, Ministral
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("<mm:think>", "</mm:think>"),  # MiniMax
    ("<think:opensource>", "</think:opensource>"),  # Hunyuan
    ("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    ("<|channel>thought", "<channel|>"),  # Gemma
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),  # Kimi
    ("◁think▷", "◁/think▷"),  # Kimi-VL
    ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),  # Apriel
)
"""The text before and after the thoughts, by family of models. Templates render it only where thoughts are given to
them, each under a name of its own, so it cannot be found by rendering."""


@dataclass(frozen=True)
class Said:
    """What a model said in a turn.

    Attributes:
        thoughts: Its thoughts, stripped; empty if it wrote none.
        answer: The answer, stripped; empty if the thoughts did not end.
    """

    thoughts: str
    answer: str


def opened(prompt: str) -> tuple[str, str] | None:
    """The markers of the thoughts that a prompt has begun and not ended, so that the model goes on with them."""
    end = prompt.rstrip()
    return next((pair for pair in MARKERS if end.endswith(pair[0])), None)


def split(text: str, prompt: str = "") -> Said:
    """Parts a completion into thoughts and answer.

    Args:
        text: The completion, special tokens included.
        prompt: What it continues, which may have begun the thoughts. It may be unknown: thoughts that nobody began end
            with a mark at the end of a line outside of code.
    """
    begun, bare = opened(prompt), text.lstrip()
    pair = begun or next((pair for pair in MARKERS if _begins(bare, pair)), None)
    if pair is None:
        return _closed(bare)
    thoughts, _, answer = (text if begun else bare).removeprefix(pair[0]).partition(pair[1])
    return Said(thoughts.strip(), answer.strip())


def _closed(text: str) -> Said:
    """As `split`, of a text that begins no thoughts; it may close some all the same."""
    for opening, closing in MARKERS:
        if text.startswith(closing):
            return Said("", text.removeprefix(closing).strip())
        mark = re.search(rf"{re.escape(closing)}[ \t]*(?:\n|\Z)", text)
        if mark and opening not in text and closing not in text[: mark.start()] and _in_prose(text[: mark.start()]):
            return Said(text[: mark.start()].strip(), text[mark.end() :].strip())
    return Said("", text.strip())


def _in_prose(before: str) -> bool:
    """Whether a place is outside of a block of code, by the text before it."""
    return before.count("```") % 2 == 0


def _begins(text: str, pair: tuple[str, str]) -> bool:
    """Whether a text begins with thoughts; words that anyone may write do not begin any unless their end follows."""
    opening, closing = pair
    return text.startswith(opening) and (not opening[0].isalpha() or closing in text)


def behind(text: str) -> str:
    """What stands behind the end of thoughts; all of it if none ends in it."""
    ends = [text.rindex(closing) + len(closing) for _, closing in MARKERS if closing in text]
    return text[max(ends, default=0) :]
