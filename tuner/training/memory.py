"""Whether a batch's activations fit into memory, or are computed again in the backward pass: gradient checkpointing."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SHARE = 0.8
"""The share of the free memory that activations may take; the estimate leaves out what libraries hold."""


def recomputes(model: Any, tokens: int, dtype: "torch.dtype") -> bool:
    """Whether the activations of a batch would not fit into the free memory.

    Args:
        model: The student, on its device.
        tokens: Token positions of the largest batch.
        dtype: The type of the activations.
    """
    return activations(model.config, tokens, dtype.itemsize) > SHARE * free(str(model.device))


def activations(config: Any, tokens: int, item_bytes: int) -> int:
    """The bytes of a batch's activations that the backward pass needs.

    A layer keeps 17 numbers for each position and each of its hidden units (Korthikanti et al. 2022, arXiv 2205.05198,
    equation 2, without the attention scores, which scaled dot-product attention does not keep); the logits are kept
    once as they are and once in float32.

    Args:
        config: The student's configuration.
        tokens: Token positions of the batch.
        item_bytes: Bytes of an activation.
    """
    text = config.get_text_config()
    return tokens * (17 * item_bytes * text.hidden_size * text.num_hidden_layers + (item_bytes + 4) * text.vocab_size)


def free(device: str) -> int:
    """The free bytes of the memory of a device."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.mem_get_info()[0]
    import psutil

    return psutil.virtual_memory().available
