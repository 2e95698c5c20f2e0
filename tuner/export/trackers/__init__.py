"""Trackers of experiments as targets of an export: they get the learning curves and figures of a finished run.

The store stays the truth: a tracker holds a copy, and nothing of it is ever read back into a run. A curve that a
tracker holds already is left there; one that has changed since, such as by an evaluation, replaces the former one.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.export.trackers.curves import Curve, read

TRACKERS = {
    "tensorboard": "tensorboard:DIR",
    "mlflow": "mlflow:DIR or mlflow:URI",
    "trackio": "trackio:PROJECT",
    "wandb": "wandb:PROJECT or wandb:ENTITY/PROJECT",
}
"""How the target of each is written; each has a module here, and an extra of its name."""


class Tracker(Protocol):
    """A place in a tracker.

    Attributes:
        next: What a person does with what it holds now, as a sentence.
    """

    next: str

    def write(self, curve: Curve) -> bool:
        """Writes a curve in place of what it holds of the same run and subject.

        Returns:
            Whether it was written; False if it holds the same already.
        """
        ...

    def close(self) -> None:
        """Ends what the tracker's library has started."""
        ...


class Written(NamedTuple):
    """What became of a curve.

    Attributes:
        subject: The adapter, or `base`.
        points: Its number of values.
        new: Whether it was written; False if the tracker held the same already.
    """

    subject: str
    points: int
    new: bool


class Exported(NamedTuple):
    """An export.

    Attributes:
        curves: What became of each curve.
        next: What a person does with them now, as a sentence.
    """

    curves: list[Written]
    next: str


def is_named(to: str) -> bool:
    """Whether a target is a tracker."""
    return to.partition(":")[0] in TRACKERS


def export(store: Store, run: Mapping[str, Any], to: str) -> Exported:
    """Exports the curves of a run.

    Args:
        store: The store of the run.
        run: The run's record.
        to: A tracker and a place in it, as in `TRACKERS`.

    Raises:
        InputError: If the tracker is not installed, the place cannot be used, or the run has no trained adapter.
        DamagedArtifactError: If a file of the run is damaged.
    """
    name, _, place = to.partition(":")
    if not place:
        raise InputError(f"--to {to}: write it as {TRACKERS[name]}")
    found = read(store, run)
    tracker: Tracker = import_module(f"{__name__}.{name}").open(place)
    try:
        written = [Written(curve.subject, curve.points, tracker.write(curve)) for curve in found]
    finally:
        tracker.close()
    return Exported(written, tracker.next)
