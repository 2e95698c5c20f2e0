"""Batches that become smaller where the memory of a device does not suffice."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch says that the memory of the GPU or of the machine does not suffice."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def in_batches(
    items: Sequence[Item], size: int, compute: Callable[[Sequence[Item]], Sequence[Result]]
) -> Iterator[Result]:
    """Computes results batch after batch; the batches are halved for good whenever the memory does not suffice.

    Args:
        items: What is computed with, in order.
        size: Items in a batch at first.
        compute: Gives the results of a batch, in order.

    Raises:
        RuntimeError: That of torch, if the memory does not suffice for a single item.
    """
    begin = 0
    while begin < len(items):
        try:
            results = compute(items[begin : begin + size])
        except RuntimeError as error:
            if not is_out_of_memory(error) or size == 1:
                raise
            size //= 2
            continue
        yield from results
        begin += size
