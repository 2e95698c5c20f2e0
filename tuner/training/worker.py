"""The child process that trains one adapter: `python -m tuner.training.worker job.json`.

It reads its job from a file, reports its progress as JSON lines on stdout and everything else on stderr, and ends with
an exit code for its parent. It ends by itself when its parent is gone.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from tuner import interpreter, parent
from tuner.training import checkpoints, exits, fit, memory, results
from tuner.training.job import METRICS, Job
from tuner.training.metrics import Trained

if TYPE_CHECKING:
    from tuner.models.chat import Chat
    from tuner.training.supervision import Task

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
    import torch
    from transformers import PrinterCallback, set_seed
    from transformers.utils import logging

    from tuner.artifacts import parquet
    from tuner.models import chat, loading, precision
    from tuner.training import optimizers
    from tuner.training.trainer import AlreadyEnded, LegEnd, Meter, line, total_steps
    from tuner.training.tuning import Tuning

    _join(job)
    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    checkpoint = _newest(job)
    student = chat.load(job.models, "student")
    folder = job.checkpoints / "tokenizer"
    student.tokenizer.save_pretrained(folder)
    fit.check(student, {job.adapter: job.settings})
    task = _task(job, student)
    model = loading.load_model(job.models.student, precision.training(), job.settings.quantization)
    set_seed(job.seed % 2**32)  # NumPy's maximum; the first weights of an adapter may be random
    recomputed = job.settings.recomputes and memory.recomputes(
        model, job.settings.batch_size // job.processes * task.longest, precision.training()
    )
    adapted = fit.adapted(model, job.adapter, job.settings, str(folder), job.models.student)
    if job.start:
        job.settings.go_on_from(adapted, job.start)
    _in_float32(adapted)
    trainer = task.trainer(adapted, recomputed, (optimizers.optimizer(adapted, job.settings), None))
    _in_float32(trainer.model)  # TRL stores the adapter of a quantized student in bfloat16
    if trainer.args.bf16:
        _leave_inputs_in_bfloat16(trainer.model)
    trainer.order_seed = job.seed
    steps = total_steps(trainer)
    trainer.args.save_steps = max(1, steps // SAVES)
    trainer.args.lr_scheduler_kwargs = optimizers.schedule(job.settings.scheduler, steps)
    trainer.remove_callback(PrinterCallback)
    leads = trainer.is_world_process_zero()
    if not leads:
        torch.manual_seed(job.seed + trainer.args.process_index)  # other noise for other rows
    trainer.add_callback(Meter(trainer, lambda figures: messages.write(line(figures)) if leads else None))
    if job.until is not None:
        trainer.add_callback(LegEnd(max(1, round(job.until * steps))))
    measure = task.measure(trainer)
    tuning = Tuning(trainer, measure, job.checkpoints, job.settings.early_stopping) if measure else None
    if tuning:
        # Behind the meter, which marks a checkpoint as complete, and the end of a leg, which writes one.
        trainer.add_callback(tuning)
    if checkpoint:
        trainer.before = checkpoint[1]
        if leads:
            messages.write(line({"resumes": checkpoint[1].step, "total": steps}))
    with suppress(AlreadyEnded):
        trainer.train(resume_from_checkpoint=str(checkpoint[0]) if checkpoint else None)
    if not leads:
        return
    if tuning and job.until is None:
        tuning.take_best()
    elif tuning:
        parquet.write(tuning.last(), job.output / results.LOSSES_FILE)
    interrupted = checkpoint is not None and checkpoint[0] != job.state
    _write_results(job, trainer, checkpoint[1].step if checkpoint and interrupted else None)


def _join(job: Job) -> None:
    """Joins the other processes of the training, if there are others."""
    if job.processes == 1:
        return
    import torch

    from tuner.models import loading

    rank, on_gpu = int(os.environ["RANK"]), loading.device() == "cuda"
    if on_gpu:
        torch.cuda.set_device(rank)
    torch.distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=torch.distributed.FileStore(str(job.rendezvous.absolute()), job.processes),  # pyright: ignore[reportPrivateImportUsage]
        rank=rank,
        world_size=job.processes,
    )


def _newest(job: Job) -> tuple[Path, checkpoints.Progress] | None:
    """Where the training goes on: at its newest complete checkpoint, or where the leg before ended; None to begin."""
    return checkpoints.newest(job.checkpoints) or (checkpoints.read(job.state) if job.state else None)


def _task(job: Job, student: "Chat") -> "Task":
    """What is trained on, encoded, and its trainer."""
    from tuner.training import supervision

    kind = supervision.Preferences if job.settings.objective.pairs else supervision.Answers
    return kind(job, student)


def _leave_inputs_in_bfloat16(model: Any) -> None:
    """Keeps LoRA from casting its inputs to float32.

    Under autocast the small matrices multiply in bfloat16 anyway; casting their input to float32 and back costs more
    time and memory than the multiplication.
    """
    from peft.tuners.lora import LoraLayer

    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.cast_input_dtype_enabled = False


def _in_float32(model: Any) -> None:
    """Keeps the trained weights in float32, the only type in which small updates are not rounded away."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


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
    if job.until is None:
        size = results.save_adapter(
            trainer.model, job.settings, trainer.processing_class, job.models.student, job.output / "adapter"
        )
    else:
        ended = _newest(job)
        assert ended is not None
        size = results.save_state(ended[0], job.output / "state")
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
        adapter_bytes=size,
        device=loading.device(),
        dtype=str(precision.training()).removeprefix("torch."),
        recomputed=trainer.args.gradient_checkpointing,
        tuning_loss=tuning.best(measured)[1] if measured else None,
        tuning_step=tuning.best(measured)[0] if measured else None,
        last_tuning_loss=measured[-1][1] if measured else None,
        resumed_from_step=resumed_from,
    )
    (job.output / METRICS).write_text(metrics.model_dump_json(indent=2))


if __name__ == "__main__":
    interpreter.relax_garbage_collection()
    interpreter.leave_out_hints()
    if not Job.read(Path(sys.argv[1])).settings.needs_bitsandbytes:
        interpreter.leave_out_bitsandbytes()
    main(sys.argv[1])
