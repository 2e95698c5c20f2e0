"""The decision: what a comparison does to the aliases."""

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
    """What was decided on a run.

    Attributes:
        run: Whose best adapter challenged.
        adapter: Its name in the run.
        fingerprint: Its `train` artifact.
        champion: Whom it met; None if there was nobody.
        promoted: Whether it is the champion now.
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
        """Who is the champion now, and why."""
        why = self.comparison.verdict
        if self.promoted:
            return f"{self.adapter} of {self.run} is the new champion: {why}"
        if self.champion is None:
            return f"{self.adapter} of {self.run} is not made the champion: {why}"
        if self.champion.fingerprint == self.fingerprint:
            return f"{self.adapter} of {self.run} stays the champion: {why}"
        return f"{self.champion.adapter} of {self.champion.run} stays the champion: {why}"


def decide(store: Store, run: str, comparison: Manifest) -> Decision:
    """Moves `challenger` to the run's best adapter, and `champion` too if the comparison was won; the run records it.

    Deciding again on the same run decides the same and moves nothing: not even back what a person has rolled back.

    Args:
        store: Where the aliases lie.
        run: The run that was compared.
        comparison: What `compare` made of it.

    Raises:
        StageError: If the champion is another one than it was when the two were compared.
    """
    sides = contest(store, run)
    if sides.spec.fingerprint != comparison.fingerprint:
        raise StageError(f"{run}: the champion was changed while it was compared; run the regeneration again")
    compared = Compared.read(comparison)
    promoted = compared.outcome in WON
    _note(store, sides)
    if compared.outcome != "too_few_rows" and not _moved(store, CHALLENGER, run):
        if promoted and not _moved(store, CHAMPION, run):
            _move(store, CHAMPION, sides, compared)
        # Last: it says that the decision was carried out whole.
        _move(store, CHALLENGER, sides, compared)
    return Decision(run, sides.adapter, sides.fingerprint, sides.champion, promoted, compared)


def _note(store: Store, sides: Contest) -> None:
    """Records the comparison in the run, so that it stays as long as the run does."""
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
