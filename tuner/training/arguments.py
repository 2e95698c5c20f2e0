"""The arguments of transformers' and TRL's trainers."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tuner.training.job import Job

if TYPE_CHECKING:
    from transformers import TrainingArguments
    from trl.trainer.sft_config import SFTConfig


def supervised(job: Job, recomputed: bool = False) -> "SFTConfig":
    """The arguments of a supervised training; `recomputed` is as for `on_pairs`."""
    from trl.trainer.sft_config import SFTConfig

    settings = job.settings
    return SFTConfig(
        **_shared(job, recomputed),
        max_length=settings.max_length,
        packing=settings.packing,
        completion_only_loss=True,
    )


def on_pairs(job: Job, recomputed: bool = False) -> "TrainingArguments":
    """The arguments of a training on pairs.

    Args:
        job: The job.
        recomputed: Whether activations are computed again in the backward pass, to save memory.
    """
    from transformers import TrainingArguments

    return TrainingArguments(**_shared(job, recomputed), remove_unused_columns=False)


def _shared(job: Job, recomputed: bool) -> dict[str, Any]:
    import torch

    from tuner.models import loading, precision
    from tuner.training import optimizers

    settings = job.settings
    return {
        "output_dir": str(job.checkpoints),
        "seed": job.seed % 2**32,  # NumPy's maximum
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": settings.batch_size // job.processes,
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "learning_rate": settings.learning_rate,
        "warmup_steps": settings.warmup,  # a value below 1 is a fraction of all steps
        "lr_scheduler_type": optimizers.SCHEDULERS.get(settings.scheduler, settings.scheduler),
        "max_grad_norm": settings.max_grad_norm,
        "neftune_noise_alpha": settings.neftune or None,
        "use_cpu": loading.device() == "cpu",
        "bf16": precision.training() == torch.bfloat16,
        "gradient_checkpointing": recomputed,
        "use_liger_kernel": loading.device() == "cuda" and find_spec("liger_kernel") is not None,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_total_limit": 2,
        "ddp_find_unused_parameters": False,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": loading.device() == "cuda",
    }
