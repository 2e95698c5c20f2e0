"""What the subjects answer, and how fast: greedy samples of held-out instructions, and a timed generation."""

import time
from typing import TYPE_CHECKING, Any

from tuner.models import templates

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]


def complete(
    model: Any, tokenizer: "PreTrainedTokenizerBase", prompts: list[list[Message]], max_tokens: int
) -> list[str]:
    """Answers every prompt greedily.

    Args:
        model: A causal language model, or a PEFT model around one.
        tokenizer: With a chat template and a padding token.
        prompts: Messages each.
        max_tokens: An answer is cut off after so many.

    Returns:
        The answers, without special tokens.
    """
    # Left padding would come between the virtual tokens of prompt tuning and the words, where training had nothing.
    size = 1 if getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False) else len(prompts)
    answers: list[str] = []
    for begin in range(0, len(prompts), size):
        made = _generate(model, tokenizer, prompts[begin : begin + size], max_new_tokens=max_tokens)
        answers += [text.strip() for text in tokenizer.batch_decode(made, skip_special_tokens=True)]
    return answers


def speed(model: Any, tokenizer: "PreTrainedTokenizerBase", prompts: list[list[Message]], new_tokens: int) -> float:
    """Tokens per second of one batch of exactly `new_tokens` tokens each, after a warm-up of one."""
    _generate(model, tokenizer, prompts, min_new_tokens=1, max_new_tokens=1)
    began = time.perf_counter()
    _generate(model, tokenizer, prompts, min_new_tokens=new_tokens, max_new_tokens=new_tokens)
    return len(prompts) * new_tokens / (time.perf_counter() - began)


def _generate(model: Any, tokenizer: Any, prompts: list[list[Message]], **lengths: int) -> Any:
    """New tokens only, [prompts, new tokens], on the CPU; the copy also waits for a GPU to finish."""
    import torch

    model.eval()
    texts = [templates.render(tokenizer, prompt, add_generation_prompt=True) for prompt in prompts]
    encoded = tokenizer(texts, add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt")
    encoded = {name: encoded[name].to(model.device) for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        made = model.generate(**encoded, do_sample=False, pad_token_id=tokenizer.pad_token_id, **lengths)
    return made[:, encoded["input_ids"].shape[1] :].cpu()
