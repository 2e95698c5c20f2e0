"""Batches are halved where the memory does not suffice, and no result is lost or doubled."""

from collections.abc import Sequence

import pytest
import torch

from tuner.models.memory import in_batches


class Device:
    """Computes squares, of at most so many numbers at once."""

    def __init__(self, room: int, message: str = "can't allocate memory") -> None:
        self.room, self.sizes, self.error = room, list[int](), RuntimeError(message)

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.sizes.append(len(items))
        if len(items) > self.room:
            raise self.error
        return [item**2 for item in items]


@pytest.mark.parametrize("room", [1, 2, 5, 16])
def test_results_are_whole_and_in_order_whatever_the_memory(room: int) -> None:
    device = Device(room)
    assert list(in_batches(range(11), 16, device)) == [item**2 for item in range(11)]
    assert device.sizes == sorted(device.sizes, reverse=True)


def test_the_errors_of_a_gpu_count_too() -> None:
    device = Device(2)
    device.error = torch.OutOfMemoryError("CUDA out of memory")
    assert list(in_batches([1, 2, 3, 4], 4, device)) == [1, 4, 9, 16]


def test_other_errors_and_an_item_that_is_too_large_are_raised() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        list(in_batches([1, 2], 2, Device(1, "shapes do not fit")))
    with pytest.raises(RuntimeError, match="allocate"):
        list(in_batches([1, 2], 2, Device(0)))
