"""The held-out loss of every row, computed alike for the base model and every adapter.

The trainer's own evaluation loss averages over batches rather than tokens, and counts one token too many per row for
prompt tuning. Here all subjects are scored on the same completion tokens, encoded as in training
(`tuner.models.chat`), in float32.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
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


def divergences(
    model: Any,
    rows: "Sequence[Encoded]",
    pad_id: int,
    as_reference: Callable[[], AbstractContextManager[Any]],
    batch_tokens: int = BATCH_TOKENS // 2,
) -> list[float]:
    """How far a model's predictions of every row's completion are from those of a reference.

    The Kullback-Leibler divergence of the model's distribution over the vocabulary from the reference's, summed over
    the positions that predict the completion's tokens.

    Args:
        model: A causal language model with an adapter.
        rows: As for `losses`.
        pad_id: As for `losses`.
        as_reference: A context in which the model is the reference.
        batch_tokens: Token positions in a batch, about; each has two rows of logits.

    Returns:
        Nats, in the order of the rows.
    """
    import torch

    model.eval()
    sums = [0.0] * len(rows)
    with torch.inference_mode():
        for batch in _batches(rows, batch_tokens):
            chosen = [rows[index] for index in batch]
            logits, first = _logits(model, chosen, pad_id)
            with as_reference():
                others, _ = _logits(model, chosen, pad_id)
            for place, index in enumerate(batch):
                own, other = (
                    torch.log_softmax(_predicting(each[place], rows[index], first), dim=-1) for each in (logits, others)
                )
                sums[index] = torch.nn.functional.kl_div(other, own, reduction="sum", log_target=True).item()
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
    logits, first = _logits(model, rows, pad_id)
    return [_row_loss(logits[index], row, first) for index, row in enumerate(rows)]


def _logits(model: Any, rows: "list[Encoded]", pad_id: int) -> "tuple[torch.Tensor, int]":
    """Logits from the position that predicts the earliest completion token, and that position.

    Returns:
        Logits of shape (rows, length - position, vocabulary), and the position.
    """
    import torch

    length = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), length), pad_id)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = torch.tensor(row.ids)
        mask[index, : len(row.ids)] = 1
    first = min(max(row.start, 1) for row in rows) - 1
    device = model.device
    output = model(
        input_ids=ids.to(device), attention_mask=mask.to(device), logits_to_keep=length - first, use_cache=False
    )
    # Counted from the end, since prompt tuning puts virtual tokens in front.
    return output.logits[:, -(length - first) :], first


def _predicting(logits: "torch.Tensor", row: "Encoded", first: int) -> "torch.Tensor":
    """The logits of one row that predict its completion, in float32, shape (tokens, vocabulary)."""
    return logits[max(row.start, 1) - 1 - first : len(row.ids) - 1 - first].float()


def _row_loss(logits: "torch.Tensor", row: "Encoded", first: int) -> float:
    import torch

    targets = torch.tensor(row.ids[max(row.start, 1) :], device=logits.device)
    return torch.nn.functional.cross_entropy(_predicting(logits, row, first), targets, reduction="sum").item()
