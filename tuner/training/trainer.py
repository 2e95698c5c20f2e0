"""The trainers, extended to resume exactly, to count tokens and to stop when the loss is not finite.

Only the child process imports this module.
"""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from safetensors.torch import load_file, save_file
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl.trainer.sft_trainer import SFTTrainer

from tuner.training import state
from tuner.training.checkpoints import TRAINED, Progress, mark
from tuner.training.exits import DivergedError
from tuner.training.order import GroupedByLength


class AlreadyEnded(Exception):  # noqa: N818 - not an error
    """The training had already ended at the checkpoint that it resumed from."""


class Exact(Trainer):
    """A trainer with a reproducible row order, so that a resume is exact, and with token and time counts.

    Attributes:
        order_seed: The seed of the order of the rows.
        before: The work done by earlier attempts.
        tokens: Non-pad tokens of this attempt.
        began: Start of this attempt's loop (`time.perf_counter`).
        ended: End of this attempt's loop; None while it runs.
        paused: Seconds of this attempt in which it was measured rather than trained.
        order: The order of the rows.
        figures: Further figures of the examples since the last log; their means are logged.
    """

    order_seed: int = 0
    order: GroupedByLength
    before: Progress = Progress()
    tokens: int = 0
    began: float = 0.0
    ended: float | None = None
    paused: float = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.figures: list[dict[str, float]] = []

    def lengths(self, rows: Any) -> list[int]:
        """The tokens of every row."""
        return [len(ids) for ids in rows["input_ids"]]

    def count(self, inputs: dict[str, Any]) -> int:
        """The non-pad tokens of a batch."""
        # A packed batch is one long row without padding, and comes without a mask.
        mask = inputs.get("attention_mask")
        return int(inputs["input_ids"].numel() if mask is None else mask.sum())

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        # Processes that train together take a batch of this order in turns.
        together = self.args.train_batch_size * self.args.world_size
        self.order = GroupedByLength(self.lengths(rows), together, self.order_seed)
        return self.order

    def training_step(self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        """Counts the tokens of a batch and trains on it."""
        self.tokens += self._together(self.count(inputs))
        return super().training_step(model, inputs, *args, **kwargs)

    def _together(self, count: int) -> int:
        """The sum over the processes that train together."""
        if self.args.world_size == 1:
            return count
        whole: Any = self.accelerator.reduce(torch.tensor(count, device=self.args.device), "sum")
        return int(whole)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Writes the trained weights of a checkpoint.

        PEFT would write what it exports, from which some methods cannot go on: a prompt without the network that makes
        it, for example.
        """
        self.write_trained(Path(str(output_dir)) / TRAINED)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        self.read_trained(Path(resume_from_checkpoint) / TRAINED)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.args.should_save:
            state.write_optimizer(self.optimizer, Path(output_dir))
            state.write_scheduler(self.lr_scheduler, Path(output_dir))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            state.read_optimizer(self.optimizer, Path(checkpoint))
            state.read_scheduler(self.lr_scheduler, Path(checkpoint))

    def _save_rng_state(self, output_dir: str) -> None:
        state.write_random(Path(output_dir), self.args.process_index)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            state.read_random(Path(checkpoint), self.args.process_index)

    def write_trained(self, path: Path) -> None:
        """Writes the trained weights."""
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: weight.detach().contiguous() for name, weight in self._trained()}, path)

    def read_trained(self, path: Path) -> None:
        """Reads the trained weights that `write_trained` wrote."""
        saved = load_file(path)
        with torch.no_grad():
            for name, weight in self._trained():
                weight.copy_(saved[name])

    def _trained(self) -> list[tuple[str, torch.nn.Parameter]]:
        model: Any = self.accelerator.unwrap_model(self.model)
        return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the time in seconds, including that of earlier attempts, and further figures to the learning curve."""
        logs["seconds"] = self.work_done().seconds
        if self.args.world_size > 1:
            self.figures = gather_object(self.figures)
        if self.figures:
            logs |= {name: sum(each[name] for each in self.figures) / len(self.figures) for name in self.figures[0]}
            self.figures.clear()
        super().log(logs, start_time)

    def work_done(self) -> Progress:
        """The work done so far by this and earlier attempts."""
        seconds = (self.ended or time.perf_counter()) - self.began - self.paused
        return Progress(self.state.global_step, self.before.seconds + seconds, self.before.tokens + self.tokens)


class AdapterTrainer(Exact, SFTTrainer):
    """TRL's supervised trainer, made exact."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean loss over the step's completion tokens.

        TRL's fused head skips positions outside the completion only with Triton. On a CPU it projects every position
        onto the vocabulary, and computes the entropy too; here the positions before the first completion are skipped.
        """
        if return_outputs or inputs["input_ids"].device.type != "cpu":
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"][:, 1:]
        scored = labels != -100
        # Counted from the end, since prompt tuning prepends its virtual tokens.
        keep = labels.shape[1] - int(scored.any(dim=0).int().argmax()) + 1
        arguments = {name: value for name, value in inputs.items() if name != "labels"}
        logits = model(**arguments, logits_to_keep=keep, use_cache=False).logits[:, -keep:-1]
        labels, scored = labels[:, 1 - keep :], scored[:, 1 - keep :]
        loss = torch.nn.functional.cross_entropy(logits[scored].float(), labels[scored], reduction="sum")
        if num_items_in_batch is None:
            return loss / scored.sum()
        # Gradients are averaged over the processes, and the items are those of all.
        return loss / num_items_in_batch * self.args.world_size


class Meter(TrainerCallback):
    """Reports every step, marks complete checkpoints, and stops the training if the loss is not finite."""

    def __init__(self, trainer: Exact, report: Callable[[dict[str, Any]], object]) -> None:
        self.trainer = trainer
        self.report = report

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Starts the clock."""
        self.trainer.began = time.perf_counter()

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Sets the epoch of the order: accelerate does not where several processes resume within an epoch."""
        self.trainer.order.set_epoch(int((state.epoch or 0) + 1e-6))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Stops the clock."""
        self.trainer.ended = time.perf_counter()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Reports a step's figures."""
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            rate = logs.get("learning_rate", args.learning_rate)
            raise DivergedError(
                f"the loss became {logs['loss']} at step {state.global_step} (learning rate {rate:.2g}): "
                "give the adapter a lower learning_rate"
            )
        spent = self.trainer.work_done()
        speed = self.trainer.tokens / max(spent.seconds - self.trainer.before.seconds, 1e-9)
        self.report(
            {"step": state.global_step, "total": state.max_steps, "loss": logs["loss"], "tokens_per_second": speed}
        )

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Marks the checkpoint that has just been written as complete."""
        self.trainer.accelerator.wait_for_everyone()
        if not state.is_world_process_zero:
            return
        mark(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}", self.trainer.work_done())


class LegEnd(TrainerCallback):
    """Ends a training after a step, with a checkpoint.

    Args:
        step: The step.
    """

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Ends a training that resumes where it had already ended."""
        if state.global_step >= self.step:
            raise AlreadyEnded

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ends the training."""
        if state.global_step >= self.step:
            control.should_save = control.should_training_stop = True


def total_steps(trainer: Exact) -> int:
    """Optimizer steps of the whole training, computed as the trainer does."""
    batches = len(trainer.get_train_dataloader())
    per_epoch = max(1, math.ceil(batches / trainer.args.gradient_accumulation_steps))
    return math.ceil(trainer.args.num_train_epochs * per_epoch)


def line(figures: dict[str, Any]) -> str:
    """A message to the parent: one line of JSON."""
    return json.dumps(figures) + "\n"
