"""What a training learns from: the answers of rows, or preferences between two answers.

Only the child process imports this module.
"""

from abc import abstractmethod
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from tuner.errors import InputError
from tuner.models import scoring
from tuner.training import arguments, encoding, pairs
from tuner.training.job import Job
from tuner.training.preferring import PairTrainer, examples
from tuner.training.results import LOSSES
from tuner.training.trainer import AdapterTrainer, Exact

if TYPE_CHECKING:
    from tuner.models.chat import Chat

Measure = Callable[[], pa.Table]
"""Measures the losses of the rows to choose by; see `results.LOSSES`."""


def mean(losses: pa.Table) -> float:
    """The loss of all rows, in nats per token."""
    return sum(losses["loss_sum"].to_pylist()) / sum(losses["tokens"].to_pylist())


class Task(Protocol):
    """What is trained on.

    Attributes:
        longest: The tokens of its longest example.
    """

    longest: int

    @abstractmethod
    def trainer(self, model: Any, recomputed: bool, optimizers: Any) -> Any:
        """The trainer.

        Args:
            model: The adapted student.
            recomputed: Whether activations are computed again in the backward pass.
            optimizers: The optimizer, and None for a schedule by the trainer's arguments.
        """

    @abstractmethod
    def measure(self, trainer: Any) -> Measure | None:
        """What measures the rows to choose by; None if there are none."""


class Answers:
    """The answers of rows.

    Raises:
        InputError: If the student cannot show the rows, or no answer is left within `max_length`.
    """

    def __init__(self, job: Job, student: "Chat") -> None:
        self.job, self.student = job, student
        rows = encoding.rows_of(job.data)
        if "tools" in rows.column_names and any(rows["tools"]) and "tools" not in str(student.tokenizer.chat_template):
            raise InputError(
                f"training.{job.adapter}: rows call tools, which the chat template of {job.models.student} cannot show"
            )
        self.rows = encoding.encode(rows, student, job.settings.max_length)
        if not len(self.rows):
            raise InputError(f"training.{job.adapter}: max_length {job.settings.max_length} cuts off every response")
        self.longest = max(map(len, self.rows["input_ids"]))

    def trainer(self, model: Any, recomputed: bool, optimizers: Any) -> AdapterTrainer:
        """See `Task.trainer`."""
        return AdapterTrainer(
            model=model,
            args=arguments.supervised(self.job, recomputed),
            train_dataset=self.rows,
            processing_class=self.student.tokenizer,
            optimizers=optimizers,
        )

    def measure(self, trainer: Exact) -> Measure | None:
        """See `Task.measure`: as the evaluation computes them."""
        job = self.job
        if job.tuning is None:
            return None
        rows = encoding.by_row(encoding.rows_of(job.tuning), self.student, job.settings.max_length)
        if not rows:
            raise InputError(
                f"training.{job.adapter}: max_length {job.settings.max_length} cuts off every response to choose by"
            )
        turns = [turn for row in rows.values() for turn in row]

        def measure() -> pa.Table:
            sums = iter(scoring.losses(trainer.model, turns, self.student.tokenizer.pad_token_id))
            return pa.table(
                {
                    "row_id": list(rows),
                    "loss_sum": [sum(islice(sums, len(row))) for row in rows.values()],
                    "tokens": [sum(turn.tokens for turn in row) for row in rows.values()],
                },
                schema=LOSSES,
            )

        return measure


class Preferences:
    """Preference pairs.

    Raises:
        InputError: If no pair is left within `max_length`.
        StageError: If the likelihoods of the reference are those of other pairs.
    """

    def __init__(self, job: Job, student: "Chat") -> None:
        self.job, self.student = job, student
        encoded = pairs.encoded(job.data, student, job.settings.max_length)
        if not encoded:
            raise InputError(
                f"training.{job.adapter}: max_length {job.settings.max_length} cuts off an answer of every pair"
            )
        self.examples = examples(encoded, job.reference)
        self.longest = max(pair.tokens for pair in encoded)

    def trainer(self, model: Any, recomputed: bool, optimizers: Any) -> PairTrainer:
        """See `Task.trainer`."""
        trainer: Any = PairTrainer(
            model=model,
            args=arguments.on_pairs(self.job, recomputed),
            train_dataset=self.examples,  # pyright: ignore[reportArgumentType] - a sequence is one
            processing_class=self.student.tokenizer,
            optimizers=optimizers,
        )
        trainer.objective = self.job.settings.objective
        trainer.layout = pairs.layout(model, self.student.tokenizer.pad_token_id)
        trainer.data_collator = trainer.collate
        return trainer

    def measure(self, trainer: PairTrainer) -> Measure | None:
        """See `Task.measure`: the objective's losses; None if no pair to choose by is left."""
        job = self.job
        if job.tuning is None:
            return None
        encoded = pairs.encoded(job.tuning, self.student, job.settings.max_length)
        chosen = examples(encoded, job.tuning_reference)
        if not chosen:
            return None
        columns = {"row_id": [each.pair.row_id for each in chosen], "tokens": [1] * len(chosen)}
        return lambda: pa.table({**columns, "loss_sum": trainer.losses(chosen)}, schema=LOSSES)
