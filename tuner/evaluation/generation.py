"""Generates with a subject: greedy answers to held-out instructions, and a timed batch."""

import time
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.models.chat import Chat

Message = dict[str, str]


def complete(
    model: Any,
    chat: "Chat",
    prompts: list[list[Message]],
    max_tokens: int,
    tools: Sequence[str | None] = (),
) -> list[str]:
    """Answers every prompt greedily.

    Args:
        model: A causal language model, or a PEFT model around one.
        chat: Its tokenizer, with a padding token, and its chat template.
        prompts: The messages of each.
        max_tokens: The most tokens of an answer.
        tools: The descriptions of tools of each prompt, as JSON; empty if none has any.

    Returns:
        The answers, without special tokens.
    """
    # Left padding would separate the virtual tokens of prompt tuning from the text, unlike in training.
    size = 1 if getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False) else len(prompts)
    answers: list[str] = []
    for begin in range(0, len(prompts), size):
        end = begin + size
        new_ids = _generate(model, chat, prompts[begin:end], tools[begin:end], max_new_tokens=max_tokens)
        answers += [text.strip() for text in chat.tokenizer.batch_decode(new_ids, skip_special_tokens=True)]
    return answers


def speed(model: Any, chat: "Chat", prompts: list[list[Message]], new_tokens: int) -> float:
    """Tokens per second of one batch with exactly `new_tokens` tokens per row, after a warm-up of one token."""
    _generate(model, chat, prompts, (), min_new_tokens=1, max_new_tokens=1)
    began = time.perf_counter()
    _generate(model, chat, prompts, (), min_new_tokens=new_tokens, max_new_tokens=new_tokens)
    return len(prompts) * new_tokens / (time.perf_counter() - began)


def _generate(
    model: Any, chat: "Chat", prompts: list[list[Message]], tools: Sequence[str | None], **lengths: int
) -> Any:
    """Ids of the new tokens, shape (prompts, new tokens), on the CPU; copying them there waits for the GPU."""
    import torch
    from transformers import GenerationConfig

    model.eval()
    texts = [chat.prompt(prompt, described) for prompt, described in zip_longest(prompts, tools)]
    encoded = chat.tokenizer(texts, add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt")
    encoded = {name: encoded[name].to(model.device) for name in ("input_ids", "attention_mask")}
    # Not the model's own defaults, such as a repetition penalty, which the recipe does not name.
    config = GenerationConfig(
        do_sample=False, eos_token_id=chat.stop_ids, pad_token_id=chat.tokenizer.pad_token_id, **lengths
    )
    with torch.inference_mode():
        output = model.generate(**encoded, generation_config=config)
    return output[:, encoded["input_ids"].shape[1] :].cpu()
