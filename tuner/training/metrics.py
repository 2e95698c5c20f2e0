"""What `train` measures."""

from typing import Literal

from tuner.metrics import Computed


class Trained(Computed):
    """One adapter; tokens are those of all steps, also before a resume.

    Attributes:
        method: Such as `lora`.
        trainable_parameters: Parameters of the adapter.
        total_parameters: Parameters of the student with it.
        trainable_ratio: The one divided by the other, 0 to 1.
        steps: Optimizer steps.
        epochs: Passes over the training rows.
        train_loss: The mean over the steps, nats per token.
        peak_memory_bytes: The most memory that was held.
        peak_memory_of: By what: `cuda`, allocated on the GPU, or `process`, resident.
        adapter_bytes: The size of the adapter's weights on disk.
        resumed_from_step: The step of the checkpoint that it went on from; None if it was trained in one go.
    """

    method: str
    trainable_parameters: int
    total_parameters: int
    trainable_ratio: float
    steps: int
    epochs: float
    train_loss: float
    peak_memory_bytes: int
    peak_memory_of: Literal["cuda", "process"]
    adapter_bytes: int
    resumed_from_step: int | None
