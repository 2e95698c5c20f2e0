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
    """A batch in which each pair is one sequence.

    The three parts begin at the same place in every sequence: prompts are padded on the left, answers on the right.

    Returns:
        `input_ids` and `position_ids` of shape (pairs, length), and `attention_mask` of shape (pairs, 1, length,
        length), true where a position sees another; with `chosen` and `rejected` for `likelihoods`.
    """
    import torch

    parts = [[pair.prompt for pair in pairs], [pair.chosen for pair in pairs], [pair.rejected for pair in pairs]]
    widths = [max(map(len, part)) for part in parts]
    count, length = len(pairs), sum(widths)
    ids = torch.full((count, length), pad_id)
    positions = torch.zeros((count, length), dtype=torch.long)
    real = torch.zeros((count, length), dtype=torch.bool)
    for row, pair in enumerate(pairs):
        prompt = len(pair.prompt)
        for begin, answer, place in (
            (widths[0] - prompt, pair.prompt, 0),
            (widths[0], pair.chosen, prompt),
            (widths[0] + widths[1], pair.rejected, prompt),
        ):
            span = slice(begin, begin + len(answer))
            ids[row, span] = torch.tensor(answer)
            positions[row, span] = torch.arange(place, place + len(answer))
            real[row, span] = True
    seen = torch.ones((length, length), dtype=torch.bool).tril()
    seen[widths[0] + widths[1] :, widths[0] : widths[0] + widths[1]] = False
    # Padding sees itself, since a softmax over nothing is not a number.
    allowed = (seen & real[:, None, :]) | torch.eye(length, dtype=torch.bool)
    return {"input_ids": ids, "position_ids": positions, "attention_mask": allowed[:, None], **_answers(parts, pad_id)}


def apart(pairs: Sequence[Pair], pad_id: int) -> Tensors:
    """A batch of prompts with chosen answers, and then of the same prompts with rejected ones, padded on the left.

    Returns:
        `input_ids` and `attention_mask` of shape (2 * pairs, length), and `chosen` and `rejected` for `likelihoods`.
    """
    import torch

    width = max(len(pair.prompt) for pair in pairs)
    parts = [[pair.prompt for pair in pairs], [pair.chosen for pair in pairs], [pair.rejected for pair in pairs]]
    longest = max(len(answer) for part in parts[1:] for answer in part)
    ids = torch.full((2 * len(pairs), width + longest), pad_id)
    mask = torch.zeros_like(ids)
    for row, (prompt, answer) in enumerate(zip(parts[0] * 2, parts[1] + parts[2], strict=True)):
        span = slice(width - len(prompt), width + len(answer))
        ids[row, span] = torch.tensor([*prompt, *answer])
        mask[row, span] = 1
    return {"input_ids": ids, "attention_mask": mask, **_answers(parts, pad_id)}


def _answers(parts: list[list[list[int]]], pad_id: int) -> Tensors:
    """The ids of both answers, -100 for padding, shape (pairs, longest)."""
    import torch

    answers: Tensors = {}
    for name, part in zip(("chosen", "rejected"), parts[1:], strict=True):
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
    chosen, rejected = batch["chosen"], batch["rejected"]
    inputs = {name: tensor for name, tensor in batch.items() if name in ("input_ids", "position_ids", "attention_mask")}
    if "position_ids" in batch:
        width = chosen.shape[1]
        keep = width + rejected.shape[1] + 1
        logits = model(**inputs, logits_to_keep=keep, use_cache=False).logits[:, -keep:]
        # The first token of each answer follows the prompt's last.
        second = [logits[:, :1], logits[:, width + 1 : -1]]
        return _sums(logits[:, :width], chosen), _joined(second, rejected)
    keep = max(chosen.shape[1], rejected.shape[1]) + 1
    logits = model(**inputs, logits_to_keep=keep, use_cache=False).logits[:, -keep:-1]
    first, second = logits.chunk(2)
    return _sums(first[:, : chosen.shape[1]], chosen), _sums(second[:, : rejected.shape[1]], rejected)


def _joined(logits: "list[torch.Tensor]", answers: "torch.Tensor") -> "torch.Tensor":
    return _sums(logits[0], answers[:, :1]) + _sums(logits[1], answers[:, 1:])


def _sums(logits: "torch.Tensor", answers: "torch.Tensor") -> "torch.Tensor":
    """The sums over the tokens of answers; float32 logits are made of those alone."""
    import torch

    real = answers != -100
    rows = real.nonzero()[:, 0]
    losses = torch.nn.functional.cross_entropy(logits[real].float(), answers[real], reduction="none")
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
