"""The metrics of `train` and `reference`."""

from typing import Any, Literal

from tuner.metrics import Computed, Metrics


class Trial(Metrics):
    """A trial of a sweep.

    Attributes:
        settings: What distinguishes it from the other trials.
        share: The share of its training that was done, 0 to 1.
        loss: Its last loss on the tuning rows, in nats per token; None if it diverged.
        curve: Shares of its training and the losses that were measured after them.
        tokens: Non-pad tokens that it was trained on.
        seconds: Time in the training loop.
        stopped: Why it was not trained to the end; None if it was.
    """

    settings: dict[str, Any]
    share: float
    loss: float | None
    curve: tuple[tuple[float, float], ...]
    tokens: int
    seconds: float
    stopped: str | None = None


class Swept(Metrics):
    """A sweep.

    Attributes:
        trials: Its trials, in order.
        winner: The number of the trial whose adapter was taken, from 0.
    """

    trials: tuple[Trial, ...]
    winner: int

    @property
    def tokens(self) -> int:
        """Non-pad tokens that all trials were trained on."""
        return sum(trial.tokens for trial in self.trials)

    @property
    def saved(self) -> float:
        """The share of tokens that were saved by stopping trials; all would have been trained on the winner's.

        Trials that diverged would not have been, and are left out.
        """
        sound = [trial.tokens for trial in self.trials if trial.loss is not None]
        return 1 - sum(sound) / (len(sound) * self.trials[self.winner].tokens)


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
        last_tuning_loss: The loss on these rows when it was last measured.
        swept: The sweep whose best trial it is; None if it had none.
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
    last_tuning_loss: float | None = None
    swept: Swept | None = None


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
