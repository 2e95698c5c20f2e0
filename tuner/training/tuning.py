"""The loss on the rows to choose by, measured as training goes on, and the weights that it was lowest with.

It is measured whenever a checkpoint is written.
"""

import math
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tuner.training.exits import DivergedError
from tuner.training.supervision import Measure, mean
from tuner.training.trainer import AlreadyEnded, Exact

LOSS = "tuning_loss"
"""Its name in the trainer's log."""

BEST = "best.safetensors"


class Tuning(TrainerCallback):
    """Measures the loss on the tuning rows, and ends a training whose loss no longer falls.

    Attributes:
        losses: The last measurement, by row; None before the first.

    Args:
        trainer: The trainer.
        measure: Measures the losses.
        folder: Keeps the weights of the lowest loss; empty at the start of a training.
        patience: Measurements in a row that may be no better than the best before the training ends, which then takes
            the best weights; None to train to the end and keep the last.
    """

    losses: pa.Table | None = None

    def __init__(self, trainer: Exact, measure: Measure, folder: Path, patience: int | None) -> None:
        self.trainer, self.measure, self.folder, self.patience = trainer, measure, folder, patience

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Ends a training that resumes where it had already stopped early."""
        if self._is_over(state):
            raise AlreadyEnded

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Measures before a checkpoint is written, so that the checkpoint's log holds the measurement."""
        if not (control.should_save or control.should_training_stop):
            return
        began = time.perf_counter()
        model: Any = self.trainer.model
        self.losses = self.measure()
        model.train()
        self.trainer.paused += time.perf_counter() - began
        if not math.isfinite(loss := mean(self.losses)):
            raise DivergedError(
                f"the loss on the rows to choose by became {loss} at step {state.global_step} (learning rate "
                f"{args.learning_rate:.2g}): give the adapter a lower learning_rate"
            )
        state.log_history.append({"step": state.global_step, LOSS: loss})
        if self.patience is None:
            return
        history = measured(state)
        if best(history)[0] == state.global_step and state.is_world_process_zero:
            self.trainer.write_trained(self.folder / f"{state.global_step}-{BEST}")
        control.should_training_stop |= self._is_over(state)

    def _is_over(self, state: TrainerState) -> bool:
        history = measured(state)
        return self.patience is not None and sum(step > best(history)[0] for step, _ in history) >= self.patience

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Removes the weights that no checkpoint refers to any more."""
        for path in self.folder.glob(f"*-{BEST}") if state.is_world_process_zero else ():
            if path.name != f"{best(measured(state))[0]}-{BEST}":
                path.unlink()

    def last(self) -> pa.Table:
        """The losses at the end of the training, or of a leg of it, by row."""
        if self.losses is None:  # it had already ended where it resumed
            self.losses = self.measure()
        return self.losses

    def take_best(self) -> None:
        """Takes the weights of the lowest loss at the end of a training that may stop early."""
        if self.patience is not None and self.trainer.state.is_world_process_zero:
            self.trainer.read_trained(self.folder / f"{best(measured(self.trainer.state))[0]}-{BEST}")


def measured(state: TrainerState) -> list[tuple[int, float]]:
    """The measurements so far: step and loss in nats per token."""
    return [(int(entry["step"]), entry[LOSS]) for entry in state.log_history if LOSS in entry]


def best(history: list[tuple[int, float]]) -> tuple[int, float]:
    """The first measurement with the lowest loss; step 0 if there is none."""
    return min(history, key=lambda each: each[1], default=(0, math.inf))
