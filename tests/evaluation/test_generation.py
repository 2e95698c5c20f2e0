"""Samples: greedy, unpadded in effect, and timed with exactly the tokens that were asked for."""

from pathlib import Path
from typing import Any

import torch

from tuner.evaluation import generation
from tuner.evaluation.subjects import wearing

TOKENS = 6


def greedy(model: Any, tokenizer: Any, prompt: list[dict[str, str]]) -> str:
    """Without a cache, padding or `generate`."""
    ids = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True, return_dict=True)[
        "input_ids"
    ]
    made: list[int] = []
    for _ in range(TOKENS):
        with torch.no_grad():
            made.append(int(model(input_ids=torch.tensor([ids + made])).logits[0, -1].argmax()))
        if made[-1] == tokenizer.eos_token_id:
            break
    return tokenizer.decode(made, skip_special_tokens=True).strip()


def test_samples_are_greedy_for_everyone(
    model: Any, tokenizer: Any, rows: list[dict[str, Any]], adapters: dict[str, Path]
) -> None:
    prompts = [row["prompt"] for row in rows[:3]]
    base = [greedy(model, tokenizer, prompt) for prompt in prompts]
    assert generation.complete(model, tokenizer, prompts, TOKENS) == base
    for path in adapters.values():
        with wearing(model, path) as worn:
            expected = [greedy(worn, tokenizer, prompt) for prompt in prompts]
            assert generation.complete(worn, tokenizer, prompts, TOKENS) == expected
    assert generation.complete(model, tokenizer, prompts, TOKENS) == base


def test_speed_counts_every_token(model: Any, tokenizer: Any, rows: list[dict[str, Any]]) -> None:
    lengths: list[int] = []
    generate = model.generate

    def counting(**options: Any) -> Any:
        made = generate(**options)
        lengths.append(made.shape[1] - options["input_ids"].shape[1])
        return made

    model.generate = counting
    assert generation.speed(model, tokenizer, [row["prompt"] for row in rows[:2]], 9) > 0
    assert lengths == [1, 9]
