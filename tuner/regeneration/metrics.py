"""What `compare` measures."""

from typing import Literal

from tuner.evaluation.metrics import Difference, Loss
from tuner.metrics import Metrics
from tuner.splitting.metrics import Overlap

Outcome = Literal[
    "first",  # there was no champion
    "better",
    "not_better",
    "itself",  # both are one adapter
    "another_student",
    "leak",  # the champion has trained on what it would be measured on
    "too_few_rows",
]

WON: tuple[Outcome, ...] = ("first", "better")
"""Outcomes that make the challenger the champion; `too_few_rows` moves no alias at all."""


class Compared(Metrics):
    """A challenger and the champion, as far as both could be measured.

    Attributes:
        outcome: What came of it.
        verdict: The same in a line.
        challenger: Its held-out loss.
        champion: Likewise; None where the champion was not measured.
        difference: The challenger's loss minus the champion's; None likewise.
        overlap: What the held-out rows have in common with those that the champion was trained on; None where that was
            not looked for.
        precision: The number format of the arithmetic, as in the recipe; None where nothing was measured.
        seconds: How long measuring took; None likewise.
    """

    outcome: Outcome
    verdict: str
    challenger: Loss
    champion: Loss | None = None
    difference: Difference | None = None
    overlap: Overlap | None = None
    precision: str | None = None
    seconds: float | None = None
