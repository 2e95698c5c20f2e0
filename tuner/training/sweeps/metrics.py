"""The metrics of `trial` and `steer`."""

from typing import Any

from tuner.metrics import Metrics
from tuner.training.metrics import Trained


class Tried(Metrics):
    """Metrics of a leg of a trial.

    Attributes:
        share: The share of its training that is done, 0 to 1.
        loss: Its loss on the tuning rows, in nats per token; None if it diverged.
        tokens: Non-pad tokens that it was trained on so far; where it diverged, those of the legs before.
        seconds: Time in the training loop so far, likewise.
        diverged: Why it has no weights; None if it has.
        trained: The metrics of the whole training; None before the last leg.
    """

    share: float
    loss: float | None
    tokens: int
    seconds: float
    diverged: str | None = None
    trained: Trained | None = None


class Stopped(Metrics):
    """A trial that was stopped.

    Attributes:
        trial: Its number, from 0.
        reason: In words, with the figures.
    """

    trial: int
    reason: str


class Steered(Metrics):
    """Metrics of a look at the trials of a sweep, or of a round of proposed trials.

    Attributes:
        share: The share of their training that was done at the look, 0 to 1; None for a round.
        running: The trials that go on after the look, numbered from 0.
        stopped: Those that do not.
        loss: The lowest loss at the look, in nats per token; None for a round.
        proposed: The settings of every trial of the round.
    """

    share: float | None = None
    running: tuple[int, ...] = ()
    stopped: tuple[Stopped, ...] = ()
    loss: float | None = None
    proposed: tuple[dict[str, Any], ...] = ()
