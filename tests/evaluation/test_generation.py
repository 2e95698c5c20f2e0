"""Samples are greedy and independent of padding; the timed batch has exactly the requested tokens."""

from pathlib import Path
from typing import Any

import torch

from tuner.evaluation import generation
from tuner.evaluation.subjects import loaded_adapter
from tuner.models.chat import Chat

TOKENS = 6


def greedy(model: Any, chat: Chat, prompt: list[dict[str, str]]) -> str:
    """A greedy answer, computed without a cache, padding or `generate`."""
    tokenizer = chat.tokenizer
    ids = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True, return_dict=True)[
        "input_ids"
    ]
    new_ids: list[int] = []
    for _ in range(TOKENS):
        with torch.no_grad():
            new_ids.append(int(model(input_ids=torch.tensor([ids + new_ids])).logits[0, -1].argmax()))
        if new_ids[-1] == tokenizer.eos_token_id:
            break
    return tokenizer.decode(new_ids, skip_special_tokens=True).strip()


def test_samples_are_greedy_for_every_subject(
    model: Any, chat: Chat, rows: list[dict[str, Any]], adapters: dict[str, Path]
) -> None:
    prompts = [row["prompt"] for row in rows[:3]]
    base = [greedy(model, chat, prompt) for prompt in prompts]
    assert generation.complete(model, chat, prompts, TOKENS) == base
    for path in adapters.values():
        with loaded_adapter(model, path) as adapted:
            expected = [greedy(adapted, chat, prompt) for prompt in prompts]
            assert generation.complete(adapted, chat, prompts, TOKENS) == expected
    assert generation.complete(model, chat, prompts, TOKENS) == base


def test_speed_counts_every_token(model: Any, chat: Chat, rows: list[dict[str, Any]]) -> None:
    lengths: list[int] = []
    generate = model.generate

    def counting(**options: Any) -> Any:
        output = generate(**options)
        lengths.append(output.shape[1] - options["input_ids"].shape[1])
        return output

    model.generate = counting
    assert generation.speed(model, chat, [row["prompt"] for row in rows[:2]], 9) > 0
    assert lengths == [1, 9]
