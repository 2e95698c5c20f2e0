"""trackio: a project in its local store, and in it a run for each curve.

Nothing is sent; `trackio sync` copies a project to a Space. https://huggingface.co/docs/trackio/storage_schema
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tuner.errors import InputError
from tuner.export.trackers.curves import Curve
from tuner.export.trackers.extras import library

DIGEST = "digest"
"""The entry of a run's configuration by which an earlier export of the same is recognised."""


class Trackio:
    """A project of trackio, in TRACKIO_DIR.

    Args:
        place: The project.

    Raises:
        InputError: If trackio is not installed, or the project cannot have this name.
    """

    def __init__(self, place: str) -> None:
        self._library = library("trackio")
        # What its own import of files is made of. `trackio.init` would ask the hub for the user's name.
        self._storage = self._library.SQLiteStorage
        try:
            self._storage.validate_project_name(place)
        except ValueError as error:
            raise InputError(f"--to trackio:{place}: {error}") from None
        self._project = place
        self.next = f"to look at it: trackio show --project {place}"

    def write(self, curve: Curve) -> bool:
        """See `Tracker.write`."""
        found = [run for run in self._runs() if run.name == curve.name]
        if any((run.config or {}).get(DIGEST) == curve.digest for run in found):
            return False
        for run in found:
            run.delete()
        steps = (*curve.steps, curve.last)
        self._storage.bulk_log(
            project=self._project,
            run=curve.name,
            metrics_list=[dict(step.values) for step in steps],
            steps=[step.number for step in steps],
            timestamps=[datetime.fromtimestamp(step.time, UTC).isoformat() for step in steps],
            config={**curve.settings, DIGEST: curve.digest},
        )
        return True

    def close(self) -> None:
        """See `Tracker.close`."""

    def _runs(self) -> Iterator[Any]:
        if self._storage.get_project_db_path(self._project).exists():
            yield from self._library.Api().runs(self._project)


def open(place: str) -> Trackio:
    """The place; raises as `Trackio`."""
    return Trackio(place)
