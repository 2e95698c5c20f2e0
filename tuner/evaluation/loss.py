"""The held-out loss of every row: one evaluator for the base model and every adapter.

The trainer's own evaluation loss averages over batches rather than tokens, and counts one token too many per row for
prompt tuning. Here the same completion tokens are scored for everyone: encoded as in training, summed in float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

BATCH_TOKENS = 4096
"""A batch holds about so many token positions: it bounds the memory of the logits."""

Message = dict[str, str]


@dataclass(frozen=True)
class Encoded:
    """A row as token ids.

    Attributes:
        ids: Of prompt and completion, cut to the maximal length.
        start: Where the completion begins.
    """

    ids: list[int]
    start: int

    @property
    def tokens(self) -> int:
        """Completion tokens that are predicted; the very first token of a row never is."""
        return len(self.ids) - max(self.start, 1)


def encode(
    tokenizer: "PreTrainedTokenizerBase", prompt: list[Message], completion: list[Message], max_length: int
) -> Encoded:
    """Encodes a row exactly as TRL's trainer does: the completion begins where the rendered prompt ends.

    Args:
        tokenizer: With a chat template.
        prompt: The user's turn.
        completion: The assistant's turn.
        max_length: What is longer loses its end.
    """
    opened = _ids(tokenizer, prompt, add_generation_prompt=True)
    whole = _ids(tokenizer, prompt + completion)
    start = next(
        (index for index, (a, b) in enumerate(zip(opened, whole, strict=False)) if a != b), min(len(opened), len(whole))
    )
    ids = whole[:max_length]
    return Encoded(ids, min(start, len(ids)))


def _ids(tokenizer: "PreTrainedTokenizerBase", messages: list[Message], **options: Any) -> list[int]:
    encoded: Any = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, **options)
    return encoded["input_ids"]


def losses(
    model: Any,
    rows: Sequence[Encoded],
    pad_id: int,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] = lambda done: None,
) -> list[float]:
    """The summed negative log-likelihood of every row's completion.

    Args:
        model: A causal language model, or a PEFT model around one.
        rows: Encoded rows, at least one completion token each.
        pad_id: Fills the right end of shorter rows.
        batch_tokens: Token positions in a batch, about.
        progress: Told how many rows are done.

    Returns:
        Nats, in the order of the rows.
    """
    import torch

    model.eval()
    sums = [0.0] * len(rows)
    done = 0
    with torch.inference_mode():
        for batch in _batches(rows, batch_tokens):
            for index, loss in zip(batch, _batch_losses(model, [rows[index] for index in batch], pad_id), strict=True):
                sums[index] = loss
            done += len(batch)
            progress(done)
    return sums


def _batches(rows: Sequence[Encoded], batch_tokens: int) -> list[list[int]]:
    """Indices of rows, sorted by length, the longest first, so that what does not fit in memory shows at once."""
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda index: (-len(rows[index].ids), index)):
        if batches and len(rows[batches[-1][0]].ids) * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _batch_losses(model: Any, rows: list[Encoded], pad_id: int) -> list[float]:
    import torch

    length = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), length), pad_id)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = torch.tensor(row.ids)
        mask[index, : len(row.ids)] = 1
    # Logits from the position that predicts the earliest completion token on, counted from the end: the virtual tokens
    # that prompt tuning puts in front never come near.
    first = min(max(row.start, 1) for row in rows) - 1
    device = model.device
    output = model(
        input_ids=ids.to(device), attention_mask=mask.to(device), logits_to_keep=length - first, use_cache=False
    )
    logits = output.logits[:, -(length - first) :]  # [rows, length - first, vocabulary]
    return [_row_loss(logits[index], row, first) for index, row in enumerate(rows)]


def _row_loss(logits: "torch.Tensor", row: Encoded, first: int) -> float:
    """Sums one row; float32 logits exist for its completion only, [tokens, vocabulary]."""
    import torch

    start = max(row.start, 1)
    targets = torch.tensor(row.ids[start:], device=logits.device)
    predicting = logits[start - 1 - first : len(row.ids) - 1 - first].float()
    return torch.nn.functional.cross_entropy(predicting, targets, reduction="sum").item()
