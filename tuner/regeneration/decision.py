"""The decision: moves the aliases according to a comparison."""

from dataclasses import dataclass

from tuner import runs
from tuner.artifacts import aliases
from tuner.artifacts.aliases import Entry
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import StageError
from tuner.regeneration.contest import CHALLENGER, CHAMPION, Contest, contest
from tuner.regeneration.metrics import WON, Compared
from tuner.runs import Run


@dataclass(frozen=True)
class Decision:
    """The decision on a run.

    Attributes:
        run: The challenger's run.
        adapter: The challenger's name in the run.
        fingerprint: The fingerprint of its `train` artifact.
        champion: The champion that it was compared with; None if there was none.
        promoted: Whether the challenger is now the champion.
        comparison: The metrics of the comparison.
    """

    run: str
    adapter: str
    fingerprint: str
    champion: Entry | None
    promoted: bool
    comparison: Compared

    @property
    def line(self) -> str:
        """The resulting champion, and the reason."""
        why = self.comparison.verdict
        if self.promoted:
            return f"{self.adapter} of {self.run} is the new champion: {why}"
        if self.champion is None:
            return f"{self.adapter} of {self.run} does not become the champion: {why}"
        if self.champion.fingerprint == self.fingerprint:
            return f"{self.adapter} of {self.run} stays the champion: {why}"
        return f"{self.champion.adapter} of {self.champion.run} stays the champion: {why}"


def decide(store: Store, run: str, comparison: Manifest) -> Decision:
    """Moves `challenger` to the run's best adapter, and `champion` too if it won; records the comparison in the run.

    A second decision on the same run has the same result and moves nothing, even after a rollback.

    Args:
        store: The store of the aliases.
        run: The run that was compared.
        comparison: The run's `compare` artifact.

    Raises:
        StageError: If the champion was changed after the comparison.
    """
    sides = contest(store, run)
    if sides.spec.fingerprint != comparison.fingerprint:
        raise StageError(f"{run}: the champion was changed during the comparison; run the regeneration again")
    compared = Compared.read(comparison)
    promoted = compared.outcome in WON
    _note(store, sides)
    if compared.outcome != "too_few_rows" and not _moved(store, CHALLENGER, run):
        if promoted and not _moved(store, CHAMPION, run):
            _move(store, CHAMPION, sides, compared)
        # Moved last: it marks the decision as complete.
        _move(store, CHALLENGER, sides, compared)
    return Decision(run, sides.adapter, sides.fingerprint, sides.champion, promoted, compared)


def _note(store: Store, sides: Contest) -> None:
    """Records the comparison in the run, so that garbage collection keeps it as long as the run."""
    run = Run(store, runs.find(store, sides.run))
    if all(artifact["fingerprint"] != sides.spec.fingerprint for artifact in run.record["artifacts"]):
        run.note(sides.spec, "made")
        run.save()


def _moved(store: Store, alias: str, run: str) -> bool:
    return any(entry.run == run for entry in aliases.history(store, alias))


def _move(store: Store, alias: str, sides: Contest, compared: Compared) -> None:
    aliases.point(
        store,
        alias,
        run=sides.run,
        adapter=sides.adapter,
        fingerprint=sides.fingerprint,
        why=compared.verdict,
    )
