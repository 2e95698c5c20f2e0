"""The metrics of `compare`."""

from typing import Literal

from tuner.evaluation.metrics import Difference, Loss
from tuner.metrics import Metrics
from tuner.splitting.metrics import Overlap

Outcome = Literal[
    "first",  # there was no champion
    "better",
    "not_better",
    "itself",  # both are the same adapter
    "another_student",
    "leak",  # held-out rows are in the champion's training data
    "too_few_rows",
]

WON: tuple[Outcome, ...] = ("first", "better")
"""Outcomes that make the challenger the champion; `too_few_rows` moves no alias."""


class Compared(Metrics):
    """The comparison of a challenger with the champion, as far as both could be measured.

    Attributes:
        outcome: The outcome.
        verdict: The outcome in one line.
        challenger: The challenger's held-out loss.
        champion: The champion's held-out loss; None if it was not measured.
        difference: The challenger's loss minus the champion's; None if the champion was not measured.
        overlap: The overlap of the held-out rows with the champion's training rows; None if it was not checked.
        precision: The number format of the arithmetic, as in the recipe; None if nothing was measured.
        seconds: The duration of the measurement; None if nothing was measured.
    """

    outcome: Outcome
    verdict: str
    challenger: Loss
    champion: Loss | None = None
    difference: Difference | None = None
    overlap: Overlap | None = None
    precision: str | None = None
    seconds: float | None = None
