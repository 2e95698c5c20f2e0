"""What a training learns from: the answers of rows, or preferences between two answers.

Only the child process imports this module.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from tuner.errors import InputError
from tuner.models import scoring
from tuner.training import arguments, encoding, pairs
from tuner.training.job import Job
from tuner.training.preferring import PairTrainer, examples
from tuner.training.trainer import AdapterTrainer, Exact

if TYPE_CHECKING:
    from tuner.models.chat import Chat

Measure = Callable[[], float]
"""Measures the loss on the rows to choose by."""


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
        """What measures the loss on the rows to choose by; None if there are none."""


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
        """See `Task.measure`: nats per token, as the evaluation computes it."""
        job = self.job
        if job.tuning is None:
            return None
        rows = encoding.answers(encoding.rows_of(job.tuning), self.student, job.settings.max_length)
        if not rows:
            raise InputError(
                f"training.{job.adapter}: max_length {job.settings.max_length} cuts off every response to choose by"
            )
        tokens = sum(row.tokens for row in rows)
        return lambda: sum(scoring.losses(trainer.model, rows, self.student.tokenizer.pad_token_id)) / tokens


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
        """See `Task.measure`: the mean of the objective's loss; None if no pair to choose by is left."""
        job = self.job
        if job.tuning is None:
            return None
        encoded = pairs.encoded(job.tuning, self.student, job.settings.max_length)
        chosen = examples(encoded, job.tuning_reference)
        return (lambda: trainer.mean_loss(chosen)) if chosen else None
