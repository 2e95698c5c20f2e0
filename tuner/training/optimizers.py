"""Optimizers and schedules of a training, by their names in a recipe."""

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuner.errors import InputError
from tuner.training.methods import Method

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

SCHEDULERS: Mapping[str, str] = {
    "constant": "constant_with_warmup",
    "cosine_floor": "cosine_with_min_lr",
    "stable_decay": "warmup_stable_decay",
}
"""The names in transformers of schedules that a recipe names otherwise."""


def optimizer(model: "nn.Module", settings: Method) -> "Optimizer":
    """The optimizer of an adapted student's trained weights.

    Biases and factors, which have one dimension, do not decay.

    Raises:
        InputError: If it needs a GPU and there is none.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = defaultdict(list)
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            groups[settings.rate(name), weight.ndim > 1].append(weight)
    grouped = [
        {"params": weights, "lr": rate, "weight_decay": settings.weight_decay if decays else 0.0}
        for (rate, decays), weights in groups.items()
    ]
    return _made(settings.optimizer, grouped, settings.learning_rate)


def _made(name: str, groups: list[dict[str, Any]], rate: float) -> "Optimizer":
    if name == "adafactor":
        from transformers.optimization import Adafactor

        # The recipe's learning rate and schedule in place of Adafactor's own.
        return Adafactor(groups, lr=rate, scale_parameter=False, relative_step=False)
    if name == "adamw_8bit":
        import torch

        if not torch.cuda.is_available():
            raise InputError("training: optimizer: adamw_8bit needs a GPU; adamw and adafactor need none")
        from bitsandbytes.optim.adamw import AdamW8bit

        return AdamW8bit(groups, lr=rate)
    from torch.optim import AdamW

    return AdamW(groups, lr=rate, fused=True)


def schedule(name: str, steps: int) -> dict[str, Any]:
    """What transformers needs to know of a schedule, besides its name.

    Args:
        name: The schedule's name in a recipe.
        steps: Optimizer steps of the whole training.
    """
    match name:
        case "cosine_floor":
            return {"min_lr_rate": 0.1}
        case "stable_decay":
            return {"num_decay_steps": max(1, steps // 5)}
        case _:
            return {}
