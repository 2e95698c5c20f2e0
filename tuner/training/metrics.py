"""The metrics of `train` and `reference`."""

from typing import Literal

from tuner.metrics import Computed


class Trained(Computed):
    """Metrics of one adapter; tokens are those of all steps, including steps before a resume.

    Attributes:
        method: The method, such as `lora`.
        trainable_parameters: Parameters of the adapter.
        total_parameters: Parameters of the student and the adapter together.
        trainable_ratio: `trainable_parameters` divided by `total_parameters`, 0 to 1.
        steps: Optimizer steps.
        epochs: Passes over the training rows.
        train_loss: The mean over the steps, in nats per token.
        peak_memory_bytes: The peak memory.
        peak_memory_of: The kind of memory: `cuda`, allocated on the GPU, or `process`, resident.
        adapter_bytes: The size of the adapter's weights on disk.
        recomputed: Whether activations were computed again in the backward pass, for want of memory.
        tuning_loss: The lowest loss on the rows to choose by, in nats per token; None without such rows.
        tuning_step: The step that it was measured at.
        resumed_from_step: The step of the checkpoint that it resumed from; None if it was not interrupted.
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
    recomputed: bool = False
    tuning_loss: float | None = None
    tuning_step: int | None = None


class Referred(Computed):
    """Metrics of `reference`.

    Attributes:
        pairs: Pairs.
        left_out: Pairs of which an answer is cut off within `max_length`, which are not trained on.
        mismatched: Whether answers to other instructions were scored, too.
        chosen: The mean log-likelihood of a chosen answer, in nats.
        rejected: That of a rejected answer.
    """

    pairs: int
    left_out: int
    mismatched: bool
    chosen: float
    rejected: float
