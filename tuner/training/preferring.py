"""The trainer of preference objectives. Only the child process imports this module."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer

from tuner.artifacts import parquet
from tuner.errors import StageError
from tuner.training import pairs
from tuner.training.objectives import Likelihoods, Objective
from tuner.training.pairs import Pair
from tuner.training.trainer import Exact

_MISMATCHED = "mismatched_"


@dataclass(frozen=True)
class Example:
    """A pair to train on.

    Attributes:
        pair: The pair.
        mismatched: Its prompt with another pair's chosen answer.
        reference: The log-likelihoods under the reference: of both answers and of the mismatched one; zeros where they
            are not needed.
    """

    pair: Pair
    mismatched: Pair
    reference: tuple[float, float, float] = (0.0, 0.0, 0.0)


def examples(encoded: Sequence[Pair], reference: Path | None) -> list[Example]:
    """The pairs with their likelihoods under the reference.

    Args:
        encoded: The pairs.
        reference: `reference.parquet`; None for an objective without a reference.

    Raises:
        StageError: If the reference is that of other pairs.
    """
    mismatched = pairs.mismatched(encoded)
    if reference is None:
        return [Example(*both) for both in zip(encoded, mismatched, strict=True)]
    rows = parquet.read(reference).to_pylist()
    if [row["row_id"] for row in rows] != [pair.row_id for pair in encoded]:
        raise StageError("the likelihoods of the reference are those of other pairs; make them again")
    return [
        Example(pair, other, (row["chosen"], row["rejected"], row["mismatched"] or 0.0))
        for pair, other, row in zip(encoded, mismatched, rows, strict=True)
    ]


class PairTrainer(Exact, Trainer):
    """Trains on pairs.

    Attributes:
        objective: The objective.
        layout: How a batch of pairs is laid out for the student.
    """

    objective: Objective
    layout: pairs.Layout

    def collate(self, batch: list[Example]) -> dict[str, torch.Tensor]:
        """A batch of tensors."""
        tensors = self.layout([each.pair for each in batch])
        if self.objective.mismatches:
            others = self.layout([each.mismatched for each in batch])
            tensors |= {f"{_MISMATCHED}{name}": tensor for name, tensor in others.items()}
        columns = zip(*(each.reference for each in batch), strict=True)
        for name, column in zip(("chosen", "rejected", "mismatched"), columns, strict=True):
            tensors[f"reference_{name}"] = torch.tensor(column)
        tensors["tokens"] = torch.tensor([each.pair.tokens for each in batch])
        return tensors

    def lengths(self, rows: Any) -> list[int]:
        """See `Exact.lengths`."""
        return [each.pair.tokens for each in rows]

    def count(self, inputs: dict[str, Any]) -> int:
        """See `Exact.count`."""
        return int(inputs["tokens"].sum())

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean loss of the batch's pairs."""
        losses, margins = self._losses(model, inputs)
        self.figures += [{"margin": margin, "accuracy": float(margin > 0)} for margin in margins.tolist()]
        return losses.mean()

    def losses(self, chosen: Sequence[Example]) -> list[float]:
        """The losses of pairs that are not trained on."""
        model: Any = self.model
        model.eval()
        # As large as a batch of all processes: KTO's loss of a pair depends on the others of its batch.
        size, found = self.args.per_device_train_batch_size * self.args.world_size, list[float]()
        with torch.inference_mode(), self.compute_loss_context_manager():
            for begin in range(0, len(chosen), size):
                batch = self._prepare_inputs(self.collate(list(chosen[begin : begin + size])))
                found += self._losses(model, batch)[0].tolist()
        return found

    def _losses(self, model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss and the margin of every pair of a batch."""
        chosen, rejected = pairs.likelihoods(model, inputs)
        other = torch.zeros_like(chosen)
        if self.objective.mismatches:
            mismatched = {
                name.removeprefix(_MISMATCHED): tensor
                for name, tensor in inputs.items()
                if name.startswith(_MISMATCHED)
            }
            with torch.no_grad():
                other = pairs.likelihoods(model, mismatched)[0] - inputs["reference_mismatched"]
                if self.args.world_size > 1:
                    whole: Any = self.accelerator.reduce(other.mean(), "mean")
                    other = whole.expand_as(other)
        of = Likelihoods(
            chosen=chosen,
            rejected=rejected,
            chosen_tokens=(inputs["chosen"] != -100).sum(1),
            rejected_tokens=(inputs["rejected"] != -100).sum(1),
            reference_chosen=inputs["reference_chosen"],
            reference_rejected=inputs["reference_rejected"],
            mismatched=other,
        )
        return self.objective.loss(of), (of.chosen_ratio - of.rejected_ratio).detach()
