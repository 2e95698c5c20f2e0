"""The child process that trains one adapter: `python -m tuner.training.worker job.json`.

It reads its job from a file, reports its progress as JSON lines on stdout and everything else on stderr, and ends with
an exit code for its parent. It ends by itself when its parent is gone.
"""

import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from tuner import interpreter, parent
from tuner.errors import InputError
from tuner.training import checkpoints, exits, fit, results
from tuner.training.job import METRICS, Job
from tuner.training.metrics import Trained

if TYPE_CHECKING:
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig

    from tuner.models.chat import Chat, Encoded
    from tuner.training.tuning import Tuning

SAVES = 10
"""The approximate number of checkpoints in a training, so that a crash costs at most a tenth of the work."""


def main(job: str) -> NoReturn:
    """Trains, and ends the process with the exit code.

    Args:
        job: The path of the job.
    """
    parent.follow(lambda: os._exit(exits.ORPHANED))
    messages = _take_stdout()
    code, message = exits.guarded(lambda: train(Job.read(Path(job)), messages))
    if message:
        sys.stderr.write(f"{message}\n")
        messages.write(exits.error_message(message))
    messages.flush()
    sys.stderr.flush()
    # Library threads must not keep the process alive after the training has ended or run out of memory.
    os._exit(code)


def _take_stdout() -> TextIO:
    """Reserves stdout for messages to the parent, and redirects what the libraries print to stderr."""
    messages = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return messages


def train(job: Job, messages: TextIO) -> None:
    """Trains the adapter of a job, resuming from its newest complete checkpoint if there is one.

    Args:
        job: The job.
        messages: The stream for one JSON line per step.

    Raises:
        InputError: If the recipe cannot be trained as it is.
        DivergedError: If the loss is no longer finite.
    """
    import datasets
    from peft.tuners.lora import LoraLayer
    from transformers import PrinterCallback, set_seed
    from transformers.utils import logging

    from tuner.models import chat, loading, precision
    from tuner.training import memory, optimizers
    from tuner.training.trainer import AdapterTrainer, Meter, line, total_steps
    from tuner.training.tuning import StoppedEarly

    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    checkpoint = checkpoints.newest(job.checkpoints)
    student = chat.load(job.models, "student")
    tokenizer = student.tokenizer
    tokenizer_path = job.checkpoints / "tokenizer"
    tokenizer.save_pretrained(tokenizer_path)
    rows = rows_of(job.data)
    if "tools" in rows.column_names and any(rows["tools"]) and "tools" not in str(tokenizer.chat_template):
        raise InputError(
            f"training.{job.adapter}: rows call tools, which the chat template of {job.models.student} cannot show"
        )
    fit.check(student, {job.adapter: job.settings})
    encoded = encode(rows, student, job.settings.max_length)
    if not len(encoded):
        raise InputError(f"training.{job.adapter}: max_length {job.settings.max_length} cuts off every response")
    model = loading.load_model(job.models.student, precision.training(), job.settings.quantization)
    set_seed(job.seed % 2**32)  # NumPy's maximum; the first weights of an adapter may be random
    recomputed = job.settings.recomputes and memory.recomputes(
        model, job.settings.batch_size * max(map(len, encoded["input_ids"])), precision.training()
    )
    adapted = fit.adapted(model, job.adapter, job.settings, str(tokenizer_path), job.models.student)
    in_float32(adapted)
    trainer: Any = AdapterTrainer(
        model=adapted,
        args=arguments(job, recomputed),
        train_dataset=encoded,
        processing_class=tokenizer,
        optimizers=(optimizers.optimizer(adapted, job.settings), None),
    )
    in_float32(trainer.model)  # TRL stores the adapter of a quantized student in bfloat16
    for module in trainer.model.modules():
        # Under autocast the small matrices multiply in bfloat16 anyway; casting their input to float32 and back costs
        # more time and memory than the multiplication.
        if trainer.args.bf16 and isinstance(module, LoraLayer):
            module.cast_input_dtype_enabled = False
    trainer.order_seed = job.seed
    steps = total_steps(trainer)
    trainer.args.save_steps = max(1, steps // SAVES)
    trainer.args.lr_scheduler_kwargs = optimizers.schedule(job.settings.scheduler, steps)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Meter(trainer, lambda figures: messages.write(line(figures))))
    tuning = _tuning(job, trainer, student)
    if tuning:
        trainer.add_callback(tuning)  # behind the meter, which marks a checkpoint as complete
    if checkpoint:
        trainer.before = checkpoint[1]
        messages.write(line({"resumes": checkpoint[1].step, "total": steps}))
    with suppress(StoppedEarly):
        trainer.train(resume_from_checkpoint=str(checkpoint[0]) if checkpoint else None)
    if tuning:
        tuning.take_best()
    _write_results(job, trainer, checkpoint[1].step if checkpoint else None)


def _tuning(job: Job, trainer: Any, student: "Chat") -> "Tuning | None":
    """What measures the loss on the rows to choose by; None if there are none."""
    from tuner.training.tuning import Tuning

    if job.tuning is None:
        return None
    rows = answers(rows_of(job.tuning), student, job.settings.max_length)
    if not rows:
        raise InputError(
            f"training.{job.adapter}: max_length {job.settings.max_length} cuts off every response to choose by"
        )
    return Tuning(trainer, rows, job.checkpoints, job.settings.early_stopping)


def in_float32(model: Any) -> None:
    """Keeps the trained weights in float32, the only type in which small updates are not rounded away."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def rows_of(path: Path) -> "Dataset":
    """The training rows: `prompt` and `completion`, both lists of messages, and `tools` and `thoughts` if any."""
    from datasets import Dataset

    from tuner.artifacts import parquet

    rows = parquet.read(path)
    names = ("prompt", "completion", "tools", "thoughts")
    return Dataset(rows.select([name for name in names if name in rows.column_names]))


def encode(rows: "Dataset", student: "Chat", max_length: int) -> "Dataset":
    """The rows as TRL takes them without encoding them itself: `input_ids`, and a `completion_mask` of zeros and ones.

    TRL would render the conversation as a whole, which for some templates does not begin with what the model is
    prompted with. Each of the assistant's turns is an example; one that is cut off at its first token is left out.
    """
    from datasets import Dataset

    return Dataset.from_list(
        [
            {"input_ids": answer.ids, "completion_mask": [0] * answer.start + [1] * (len(answer.ids) - answer.start)}
            for answer in answers(rows, student, max_length)
        ]
    )


def answers(rows: "Dataset", student: "Chat", max_length: int) -> "list[Encoded]":
    """The assistant's turns of the rows, each encoded with all before it; those without a token left are left out."""
    return [
        answer
        for row in rows.to_list()
        for answer in student.answers(
            row["prompt"] + row["completion"], max_length, row.get("tools"), row.get("thoughts")
        )
    ]


def arguments(job: Job, recomputed: bool = False) -> "SFTConfig":
    """The trainer's arguments for a job.

    Args:
        job: The job.
        recomputed: Whether activations are computed again in the backward pass, to save memory.
    """
    import torch
    from trl.trainer.sft_config import SFTConfig

    from tuner.models import loading, precision
    from tuner.training import optimizers

    settings = job.settings
    return SFTConfig(
        output_dir=str(job.checkpoints),
        seed=job.seed % 2**32,  # NumPy's maximum
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup,  # a value below 1 is a fraction of all steps
        lr_scheduler_type=optimizers.SCHEDULERS.get(settings.scheduler, settings.scheduler),
        max_grad_norm=settings.max_grad_norm,
        neftune_noise_alpha=settings.neftune or None,
        max_length=settings.max_length,
        packing=settings.packing,
        completion_only_loss=True,
        use_cpu=loading.device() == "cpu",
        bf16=precision.training() == torch.bfloat16,
        gradient_checkpointing=recomputed,
        use_liger_kernel=loading.device() == "cuda" and find_spec("liger_kernel") is not None,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=loading.device() == "cuda",
    )


def _write_results(job: Job, trainer: Any, resumed_from: int | None) -> None:
    """Writes adapter, curve and metrics to the output folder."""
    from tuner.artifacts import parquet
    from tuner.models import loading, precision
    from tuner.training import tuning

    spent = trainer.work_done()
    trainable, total = results.parameters(trainer.model)
    curve = results.curve(trainer.state.log_history)
    losses = curve["loss"].to_pylist()
    measured = tuning.measured(trainer.state)
    memory, memory_of = results.peak_memory()
    adapter_bytes = results.save_adapter(
        trainer.model, job.settings, trainer.processing_class, job.models.student, job.output / "adapter"
    )
    parquet.write(curve, job.output / "curve.parquet")
    metrics = Trained(
        method=job.settings.name(),
        trainable_parameters=trainable,
        total_parameters=total,
        trainable_ratio=trainable / total,
        steps=trainer.state.global_step,
        epochs=trainer.state.epoch,
        train_loss=sum(losses) / len(losses),
        tokens=spent.tokens,
        seconds=spent.seconds,
        tokens_per_second=spent.tokens / spent.seconds,
        peak_memory_bytes=memory,
        peak_memory_of=memory_of,
        adapter_bytes=adapter_bytes,
        device=loading.device(),
        dtype=str(precision.training()).removeprefix("torch."),
        recomputed=trainer.args.gradient_checkpointing,
        tuning_loss=tuning.best(measured)[1] if measured else None,
        tuning_step=tuning.best(measured)[0] if measured else None,
        resumed_from_step=resumed_from,
    )
    (job.output / METRICS).write_text(metrics.model_dump_json(indent=2))


if __name__ == "__main__":
    interpreter.relax_garbage_collection()
    interpreter.leave_out_hints()
    if not Job.read(Path(sys.argv[1])).settings.needs_bitsandbytes:
        interpreter.leave_out_bitsandbytes()
    main(sys.argv[1])
