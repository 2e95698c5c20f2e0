"""The metrics of the stage `report`."""

from tuner.metrics import Metrics


class Reported(Metrics):
    """The verdict of a run.

    Attributes:
        verdict: Up to three lines of plain text.
        winner: The adapter that beats all others, or the only one; None if the data cannot tell.
    """

    verdict: tuple[str, ...]
    winner: str | None
