"""Preference pairs as token ids, and the log-likelihoods of their answers.

The two answers of a pair share its prompt. Where the student's attention allows it, a pair is one sequence of prompt,
chosen and rejected answer, in which the answers do not see each other, so that the prompt is computed once. Elsewhere
(learned prompts, layers that are not attention, sliding windows) prompt and answer are computed for each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from tuner.models.chat import Chat

Tensors = dict[str, "torch.Tensor"]

_PROMPT, _CHOSEN, _REJECTED, _PAD = range(4)
"""The parts of a pair's sequence."""


@dataclass(frozen=True)
class Pair:
    """A pair.

    Attributes:
        row_id: Its instruction's row.
        prompt: The ids of the conversation up to the answer, at least one.
        chosen: The ids of the better answer, at least one.
        rejected: The ids of the worse answer, at least one.
    """

    row_id: str
    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    @property
    def tokens(self) -> int:
        """The length of the three together."""
        return len(self.prompt) + len(self.chosen) + len(self.rejected)


def encoded(path: Path, student: "Chat", max_length: int) -> list[Pair]:
    """The pairs of a file, with prompt and answer truncated to a length; those that lose an answer are left out."""
    from tuner.artifacts import parquet

    pairs = []
    for row in parquet.read(path).to_pylist():
        answers = [
            student.encode(row["prompt"] + row[name], max_length, row.get("tools")) for name in ("chosen", "rejected")
        ]
        start = answers[0].start
        chosen, rejected = (answer.ids[start:] for answer in answers)
        if start and chosen and rejected:
            pairs.append(Pair(row["row_id"], answers[0].ids[:start], chosen, rejected))
    return pairs


def shares_prompts(model: Any) -> bool:
    """Whether a pair can be one sequence for a model."""
    config = model.config.get_text_config()
    peft = getattr(model, "active_peft_config", None)
    full = set(getattr(config, "layer_types", None) or ["full_attention"]) == {"full_attention"}
    return (
        full
        and not getattr(config, "sliding_window", None)
        and not getattr(model, "_is_stateful", False)
        and not getattr(peft, "is_prompt_learning", False)
        and config._attn_implementation == "sdpa"  # it takes such a mask as it is
        and hasattr(config, "rope_parameters")  # positions are given, and rotate what they stand for
    )


def together(pairs: Sequence[Pair], pad_id: int) -> Tensors:
    """A batch in which each pair is one sequence: prompt, chosen and rejected answer, then padding.

    Returns:
        `input_ids` and `position_ids` of shape (pairs, length), and `attention_mask` of shape (pairs, 1, length,
        length), true where a position sees another; with `chosen` and `rejected` for `likelihoods`, and the positions
        that predict their tokens, `chosen_at` and `rejected_at`.
    """
    import torch

    count, length = len(pairs), max(pair.tokens for pair in pairs)
    answers = _answers([[pair.chosen for pair in pairs], [pair.rejected for pair in pairs]])
    ids = torch.full((count, length), pad_id)
    positions = torch.zeros((count, length), dtype=torch.long)
    part = torch.full((count, length), _PAD)
    at = {f"{name}_at": torch.empty_like(tokens) for name, tokens in answers.items()}
    for row, pair in enumerate(pairs):
        prompt, both = len(pair.prompt), len(pair.prompt) + len(pair.chosen)
        ids[row, : pair.tokens] = torch.tensor([*pair.prompt, *pair.chosen, *pair.rejected])
        positions[row, :both] = torch.arange(both)
        positions[row, both : pair.tokens] = torch.arange(prompt, prompt + len(pair.rejected))
        part[row, : pair.tokens] = _REJECTED
        part[row, :both] = _CHOSEN
        part[row, :prompt] = _PROMPT
        # The first token of each answer follows the prompt's last.
        at["chosen_at"][row] = prompt - 1 + torch.arange(answers["chosen"].shape[1])
        at["rejected_at"][row] = both - 1 + torch.arange(answers["rejected"].shape[1])
        at["rejected_at"][row, 0] = prompt - 1
    return {"input_ids": ids, "position_ids": positions, "attention_mask": _seen(part), **answers, **at}


def _seen(part: "torch.Tensor") -> "torch.Tensor":
    """Which position sees which: those before it that are no padding, but no rejected answer the chosen one."""
    import torch

    length = part.shape[1]
    seen = torch.ones((length, length), dtype=torch.bool).tril() & (part != _PAD)[:, None, :]
    seen &= ~((part == _REJECTED)[:, :, None] & (part == _CHOSEN)[:, None, :])
    # Padding sees itself, since a softmax over nothing is not a number.
    return (seen | torch.eye(length, dtype=torch.bool))[:, None]


def apart(pairs: Sequence[Pair], pad_id: int) -> Tensors:
    """A batch of prompts with chosen answers, and then of the same prompts with rejected ones, padded on the left.

    Returns:
        `input_ids` and `attention_mask` of shape (2 * pairs, length), and `chosen` and `rejected` for `likelihoods`.
    """
    import torch

    width = max(len(pair.prompt) for pair in pairs)
    prompts = [pair.prompt for pair in pairs]
    both = [[pair.chosen for pair in pairs], [pair.rejected for pair in pairs]]
    longest = max(len(answer) for part in both for answer in part)
    ids = torch.full((2 * len(pairs), width + longest), pad_id)
    mask = torch.zeros_like(ids)
    for row, (prompt, answer) in enumerate(zip(prompts * 2, both[0] + both[1], strict=True)):
        span = slice(width - len(prompt), width + len(answer))
        ids[row, span] = torch.tensor([*prompt, *answer])
        mask[row, span] = 1
    return {"input_ids": ids, "attention_mask": mask, **_answers(both)}


def _answers(both: list[list[list[int]]]) -> Tensors:
    """The ids of both answers, -100 for padding, shape (pairs, longest)."""
    import torch

    answers: Tensors = {}
    for name, part in zip(("chosen", "rejected"), both, strict=True):
        answers[name] = torch.full((len(part), max(map(len, part))), -100)
        for row, answer in enumerate(part):
            answers[name][row, : len(answer)] = torch.tensor(answer)
    return answers


def likelihoods(model: Any, batch: Tensors) -> tuple["torch.Tensor", "torch.Tensor"]:
    """The summed log-likelihoods of the answers of a batch, each of shape (pairs,), in nats.

    Args:
        model: A causal language model, or a PEFT model around one.
        batch: What `together` or `apart` returned, on the model's device.
    """
    import torch

    chosen, rejected = batch["chosen"], batch["rejected"]
    inputs = {name: tensor for name, tensor in batch.items() if name in ("input_ids", "position_ids", "attention_mask")}
    if "position_ids" in batch:
        first = int(batch["chosen_at"].min())
        keep = inputs["input_ids"].shape[1] - first
        logits = model(**inputs, logits_to_keep=keep, use_cache=False).logits[:, -keep:]
        return _sums(logits, chosen, batch["chosen_at"] - first), _sums(logits, rejected, batch["rejected_at"] - first)
    keep = max(chosen.shape[1], rejected.shape[1]) + 1
    logits = model(**inputs, logits_to_keep=keep, use_cache=False).logits[:, -keep:-1]
    one, other = logits.chunk(2)
    at = torch.arange(keep - 1, device=logits.device).expand(len(chosen), -1)
    return _sums(one, chosen, at[:, : chosen.shape[1]]), _sums(other, rejected, at[:, : rejected.shape[1]])


def _sums(logits: "torch.Tensor", answers: "torch.Tensor", at: "torch.Tensor") -> "torch.Tensor":
    """The sums over the tokens of answers, each predicted at a position; float32 logits are made of those alone."""
    import torch

    rows, places = (answers != -100).nonzero(as_tuple=True)
    predicting = logits[rows, at[rows, places]].float()
    losses = torch.nn.functional.cross_entropy(predicting, answers[rows, places], reduction="none")
    return torch.zeros(len(answers), device=logits.device).index_add(0, rows, -losses)


def mismatched(pairs: Sequence[Pair]) -> list[Pair]:
    """Every prompt with the chosen answer of the next pair, for an estimate of the divergence from the reference."""
    return [
        Pair(pair.row_id, pair.prompt, other.chosen, other.chosen[:1])
        for pair, other in zip(pairs, [*pairs[1:], *pairs[:1]], strict=True)
    ]


Layout = Callable[[Sequence[Pair]], Tensors]


def layout(model: Any, pad_id: int) -> Layout:
    """How batches are laid out for a model."""
    if shares_prompts(model):
        return lambda pairs: together(pairs, pad_id)
    return lambda pairs: apart(pairs, pad_id)
