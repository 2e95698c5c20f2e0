"""TensorBoard: one folder of events for each curve, with its settings for the tab HParams.

The events are written as records of its protocol, since its writers name files by the clock, the host and the process.
https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuner.errors import InputError
from tuner.export.trackers.curves import Curve
from tuner.export.trackers.extras import library

PREFIX = "events.out.tfevents."
"""What TensorBoard finds files of events by; the rest of our names is `tuner.` and the digest of the curve."""


class TensorBoard:
    """A folder that TensorBoard is given with --logdir.

    Args:
        place: The folder.

    Raises:
        InputError: If TensorBoard is not installed, or the place is no folder.
    """

    def __init__(self, place: str) -> None:
        if "://" in place:
            raise InputError(f"--to tensorboard:{place}: give a folder of this machine")
        self._events = library("tensorboard", "tensorboard.compat.proto.event_pb2")
        self._summaries = library("tensorboard", "tensorboard.compat.proto.summary_pb2")
        self._records = library("tensorboard", "tensorboard.summary.writer.record_writer")
        self._hparams = library("tensorboard", "tensorboard.plugins.hparams.summary_v2")
        self._folder = Path(place).expanduser().absolute()
        self.next = f"to look at it: tensorboard --logdir {self._folder}"

    def write(self, curve: Curve) -> bool:
        """See `Tracker.write`: a file of another digest is removed, since TensorBoard shows all files of a folder."""
        folder = self._folder / curve.run / curve.subject
        path = folder / f"{PREFIX}tuner.{curve.digest[:16]}"
        former = set(folder.glob(f"{PREFIX}tuner.*"))
        if path not in former:
            partial = folder / ".partial"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with partial.open("wb") as file:
                    records = self._records.RecordWriter(file)
                    for event in self._all(curve):
                        records.write(event.SerializeToString())
                partial.rename(path)
            except OSError as error:
                reason = f"{error.filename or folder}: {error.strerror}"
                raise InputError(f"--to tensorboard:{self._folder}: cannot be written ({reason})") from None
        for each in former - {path}:
            each.unlink()
        return path not in former

    def close(self) -> None:
        """See `Tracker.close`."""

    def _all(self, curve: Curve) -> Iterator[Any]:
        first = curve.steps[0].time if curve.steps else curve.time
        yield self._events.Event(wall_time=first, file_version="brain.Event:2")
        settings = self._hparams.hparams_pb(dict(curve.settings), trial_id=curve.name, start_time_secs=first)
        yield self._events.Event(wall_time=first, summary=settings)
        for step in (*curve.steps, curve.last):
            values = [self._summaries.Summary.Value(tag=tag, simple_value=value) for tag, value in step.values.items()]
            summary = self._summaries.Summary(value=values)
            yield self._events.Event(wall_time=step.time, step=step.number, summary=summary)


def open(place: str) -> TensorBoard:
    """The place; raises as `TensorBoard`."""
    return TensorBoard(place)
