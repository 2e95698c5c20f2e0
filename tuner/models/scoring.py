"""The held-out loss of every row, computed alike for the base model and every adapter.

The trainer's own evaluation loss averages over batches rather than tokens, and counts one token too many per row for
prompt tuning. Here all subjects are scored on the same completion tokens, encoded as in training
(`tuner.models.chat`), in float32.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from tuner.models.chat import Encoded

BATCH_TOKENS = 4096
"""Token positions in a batch, about: bounds the memory of the logits."""


def losses(
    model: Any,
    rows: "Sequence[Encoded]",
    pad_id: int,
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] = lambda done: None,
) -> list[float]:
    """The summed negative log-likelihood of every row's completion.

    Args:
        model: A causal language model, or a PEFT model around one.
        rows: Encoded rows, at least one completion token each.
        pad_id: Pads shorter rows on the right.
        batch_tokens: Token positions in a batch, about.
        progress: Called with the number of rows done.

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


def _batches(rows: "Sequence[Encoded]", batch_tokens: int) -> list[list[int]]:
    """Batches of row indices, the longest rows first, so that running out of memory shows at once."""
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda index: (-len(rows[index].ids), index)):
        if batches and len(rows[batches[-1][0]].ids) * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _batch_losses(model: Any, rows: "list[Encoded]", pad_id: int) -> list[float]:
    import torch

    length = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), length), pad_id)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = torch.tensor(row.ids)
        mask[index, : len(row.ids)] = 1
    # Logits from the position that predicts the earliest completion token, counted from the end, since prompt tuning
    # puts virtual tokens in front.
    first = min(max(row.start, 1) for row in rows) - 1
    device = model.device
    output = model(
        input_ids=ids.to(device), attention_mask=mask.to(device), logits_to_keep=length - first, use_cache=False
    )
    logits = output.logits[:, -(length - first) :]  # shape (rows, length - first, vocabulary)
    return [_row_loss(logits[index], row, first) for index, row in enumerate(rows)]


def _row_loss(logits: "torch.Tensor", row: "Encoded", first: int) -> float:
    """The loss of one row; float32 logits are made for its completion only, shape (tokens, vocabulary)."""
    import torch

    start = max(row.start, 1)
    targets = torch.tensor(row.ids[start:], device=logits.device)
    predicting = logits[start - 1 - first : len(row.ids) - 1 - first].float()
    return torch.nn.functional.cross_entropy(predicting, targets, reduction="sum").item()
