"""The thoughts that a reasoning model writes before its answer, and how they are told from it."""

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
        prompt: What it continues, which may have begun the thoughts.
    """
    begun, bare = opened(prompt), text.lstrip()
    pair = begun or next((pair for pair in MARKERS if bare.startswith(pair[0])), None)
    if pair is None:
        # Where a prompt ends without thoughts, or in closed ones, a model may close some that nobody began.
        closing = next((closing for _, closing in MARKERS if bare.startswith(closing)), "")
        return Said("", bare.removeprefix(closing).strip())
    thoughts, _, answer = (text if begun else bare).removeprefix(pair[0]).partition(pair[1])
    return Said(thoughts.strip(), answer.strip())


def behind(text: str) -> str:
    """What stands behind the end of thoughts; all of it if none ends in it."""
    ends = [text.rindex(closing) + len(closing) for _, closing in MARKERS if closing in text]
    return text[max(ends, default=0) :]
