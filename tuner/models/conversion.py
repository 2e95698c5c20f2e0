"""The LoRA that is nearest to an adapter, for servers that load no other kind."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner.errors import InputError

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig

_ADAPTER = "default"
"""The name by which PEFT knows an adapter that is loaded alone."""


@dataclass(frozen=True)
class Nearest:
    """The nearest LoRA of a rank.

    Attributes:
        config: Its PEFT configuration.
        weights: Its weights, by their names in a file of PEFT.
        kept: The share of the adapter's change of the weights that it makes: 1 less the squared Frobenius norm of what
            is missing over that of the change, both summed over all layers.
    """

    config: "LoraConfig"
    weights: "dict[str, torch.Tensor]"
    kept: float


def nearest_lora(model: Any, rank: int, progress: Callable[[int, int], None] = lambda done, of: None) -> Nearest:
    """The nearest LoRA to an adapter that adds to the weights of linear layers.

    Of every layer's change the largest singular values are kept; no matrix of that rank is nearer (Eckart and Young
    1936).

    Args:
        model: A student that is not quantized, with the adapter on it as `adapted.put_on` loads it.
        rank: The rank in every layer.
        progress: Called with the number of layers done, and of all.

    Raises:
        InputError: If the adapter cannot be converted, or a layer has no such rank.
    """
    from peft import convert_to_lora
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers: dict[str, Any] = {
        name: module for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)
    }
    for name, layer in layers.items():
        if not layer.supports_lora_conversion(_ADAPTER):
            raise InputError(f"PEFT converts no {type(layer).__name__} to a LoRA, as {_short(name)} is")
    narrowest = min(layers, key=lambda name: _full_rank(layers[name]))
    if rank > (most := _full_rank(layers[narrowest])):
        raise InputError(f"rank {rank}: {_short(narrowest)} has a rank of {most} at most; choose one up to that")
    changes = {name: _changed(layer) for name, layer in layers.items()}
    done = 0

    def told(change: "Callable[[], torch.Tensor]") -> "Callable[[str], torch.Tensor]":
        def wrapped(adapter: str) -> "torch.Tensor":
            nonlocal done
            done += 1
            progress(done, len(layers))
            return change()

        return wrapped

    try:
        for name, layer in layers.items():
            layer.get_delta_weight = told(changes[name])  # what PEFT converts
        with warnings.catch_warnings():
            # DoRA is, to PEFT, a LoRA already.
            warnings.filterwarnings("ignore", message="Converting a PEFT adapter to LoRA that is already a LoRA")
            config, weights = convert_to_lora(model, rank, _ADAPTER)
    finally:
        for layer in layers.values():
            del layer.get_delta_weight
    config.task_type, config.inference_mode = "CAUSAL_LM", True
    config.target_modules = model.peft_config[_ADAPTER].target_modules  # PEFT adds every layer's name
    missing = total = 0.0
    for name, layer in layers.items():
        change = changes[name]()
        made = weights[f"{name}.lora_B.weight"] @ weights[f"{name}.lora_A.weight"]
        missing += (change - (made.T if _is_transposed(layer) else made)).square().sum().item()
        total += change.square().sum().item()
    return Nearest(config, weights, 1 - missing / total if total else 1.0)


def _changed(layer: Any) -> "Callable[[], torch.Tensor]":
    """A function that gives what the adapter adds to a layer's weights, in their shape, in float32."""
    import torch

    plain, magnitudes = layer.get_delta_weight, getattr(layer, "lora_magnitude_vector", {})

    @torch.no_grad()
    def change() -> torch.Tensor:
        added = plain(_ADAPTER).float()
        if _ADAPTER not in magnitudes:
            return added
        # DoRA, whose magnitudes PEFT leaves out: the weight is m (W + BA) / ||W + BA||, the norms those of its columns
        # (equation 5 of the paper), which are the rows of a torch layer.
        weight = layer.get_base_layer().weight.float()
        along = 0 if _is_transposed(layer) else 1
        scale = magnitudes[_ADAPTER].weight / torch.linalg.norm(weight + added, dim=along)
        return scale.unsqueeze(along) * (weight + added) - weight

    return change


def _is_transposed(layer: Any) -> bool:
    """Whether its weight has the shape (input, output), as in GPT-2."""
    from transformers.pytorch_utils import Conv1D

    return isinstance(layer.get_base_layer(), Conv1D)


def _full_rank(layer: Any) -> int:
    return min(layer.get_base_layer().weight.shape)


def _short(name: str) -> str:
    """A layer's name in the student."""
    return name.removeprefix("base_model.model.")
