"""Runs: what ties a recipe to the artifacts it used or made, by name."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Sha256, StageName
from tuner.artifacts.names import Name, check_name, now
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError
from tuner.recipe import Recipe
from tuner.registry import NAMES, planned, run_name
from tuner.report.metrics import Reported

State = Literal["running", "completed", "failed", "interrupted"]
Moment = Annotated[str, Field(pattern=r"^[0-9T:.+Z-]{1,40}$")]


@dataclass
class Run:
    """A run's record, kept in the store as it changes.

    Attributes:
        store: Where it lies.
        record: What `run.json` holds.
    """

    store: Store
    record: dict[str, Any]

    @property
    def name(self) -> str:
        """The run's name."""
        return self.record["name"]

    @classmethod
    def start(cls, store: Store, recipe: Recipe, name: str | None, until: str) -> "Run":
        """Begins a run, or goes on with the one of that name.

        Raises:
            InputError: If the name belongs to a run of another recipe, or the store cannot be written.
        """
        plain = recipe.model_dump(mode="json")
        chosen = check_name(name) if name else run_name(recipe)
        former = _read(store, chosen)
        if former and former["recipe"] != plain:
            raise InputError(f"--name {chosen}: a run of another recipe has this name; choose another")
        run = cls(
            store,
            {
                "name": chosen,
                "recipe": plain,
                "until": until,
                "state": "running",
                "created": former["created"] if former else now(),
                "started": now(),
                "ended": None,
                "made": _made(former) if former else None,
                "error": None,
                "flow_run": None,
                "artifacts": [],
            },
        )
        run.save()
        return run

    @classmethod
    def referring(cls, store: Store, recipe: Recipe, until: str) -> AbstractContextManager[None]:
        """A block that makes artifacts of a recipe, recorded as a run of its own if the recipe has none yet.

        What no run refers to is garbage.

        Raises:
            InputError: If the store cannot be written.
        """
        if store.read_run(run_name(recipe)):
            return nullcontext()
        return cls.start(store, recipe, None, until).recorded()

    def note(self, spec: Spec, outcome: Literal["cached", "made"]) -> None:
        """Records an artifact that the run used or made."""
        entry = {"stage": spec.stage, "label": spec.label, "fingerprint": spec.fingerprint, "outcome": outcome}
        self.record["artifacts"].append(entry)
        if outcome == "made" and self.record["state"] == "running":  # a comparison may be added later
            self._note_time()

    def end(self, state: State, error: str | None = None) -> None:
        """Records how the run ended."""
        self.record.update(state=state, ended=now(), error=error)
        if self.record["made"] is None and state == "completed":  # all of it was made by other runs
            self._note_time()
        self.save()

    def _note_time(self) -> None:
        """Has `made` say when the run was made: a later attempt that finds everything there leaves it as it is."""
        self.record["made"] = {"started": self.record["started"], "ended": now()}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Records how a block ends: completed, interrupted, or failed with the error's line."""
        try:
            yield
        except KeyboardInterrupt:
            self.end("interrupted")
            raise
        except Exception as error:
            self.end("failed", str(error) or type(error).__name__)
            raise
        self.end("completed")

    def save(self) -> None:
        """Writes the record, whole or not at all."""
        self.store.write_run(self.name, self.record)


def find(store: Store, name: str) -> dict[str, Any]:
    """The record of a run.

    Raises:
        InputError: If there is no such run, or what is there is not its record.
    """
    record = _read(store, check_name(name))
    if record is None:
        near: Sequence[str] = store.run_names()
        known = ", ".join(near[-5:]) or "none yet"
        raise InputError(f"{name}: no such run in {store.url}; there are: {known}")
    return record


def _read(store: Store, name: str) -> dict[str, Any] | None:
    """The record of a run, if it is one: others may write into a store, and what a record names becomes paths."""
    record = store.read_run(name)
    if record is None:
        return None
    try:
        if _Record.model_validate(record).name == name:
            return record
    except ValidationError:
        pass
    raise InputError(f"{store.url}/runs/{name}/run.json is not the record of this run; remove it to start anew")


@dataclass(frozen=True)
class Told:
    """What a list of runs says of one.

    Attributes:
        started: When it was begun, ISO 8601 in UTC. Of a completed run this is the attempt that last made something.
        seconds: How long that took; None where it has not ended.
        outcome: What came of it: the first line of its report's verdict, or why it failed; empty where neither is.
    """

    started: str
    seconds: float | None
    outcome: str


def told(store: Store, record: Mapping[str, Any]) -> Told:
    """Sums up a run in one line."""
    times = (record["state"] == "completed" and _made(record)) or record
    seconds = None
    if times["ended"]:
        seconds = (datetime.fromisoformat(times["ended"]) - datetime.fromisoformat(times["started"])).total_seconds()
    return Told(times["started"], seconds, " ".join((record["error"] or _verdict(store, record)).split()))


def _made(record: Mapping[str, Any]) -> dict[str, str] | None:
    """When a run was made; a record of an older version says only when its last attempt was."""
    attempt = {key: record[key] for key in ("started", "ended")}
    return record.get("made") or (attempt if record["state"] == "completed" else None)


def _verdict(store: Store, record: Mapping[str, Any]) -> str:
    made = next((each for each in listed(record) if each.stage == "report"), None)
    try:
        report = store.find(made.stage, made.fingerprint) if made else None
        return Reported.read(report).verdict[0] if report else ""
    except DamagedArtifactError:  # the next run makes it anew
        return ""


@dataclass(frozen=True)
class Named:
    """An artifact as a run names it.

    Attributes:
        stage: Its stage.
        label: Which of the stage's.
        fingerprint: Its name in the store, where it need not be.
    """

    stage: StageName
    label: str
    fingerprint: Sha256


class _Record(BaseModel):
    """What the record of a run holds at least."""

    name: Name
    recipe: dict[str, Any]
    state: State
    created: Moment
    started: Moment
    ended: Moment | None
    artifacts: list[Named]


_NAMED = TypeAdapter(list[Named])


def recipe_of(record: Mapping[str, Any]) -> Recipe:
    """The recipe of a run.

    Raises:
        InputError: If it is one of another version of this program.
    """
    try:
        return Recipe.model_validate(record["recipe"])
    except ValidationError as error:
        raise InputError(
            f"run {record['name']}: its recipe is of another version of this program ({_fault(error)}); "
            "use that version, or run the recipe again"
        ) from None


def listed(record: Mapping[str, Any]) -> list[Named]:
    """The artifacts that a run's record lists: all that it used or made, once it has completed.

    Raises:
        InputError: If one of them has a name that no artifact has.
    """
    try:
        return _NAMED.validate_python(record["artifacts"])
    except ValidationError as error:
        raise InputError(f"the record of a run names no artifact in {_fault(error, 'artifacts')}") from None


def _fault(error: ValidationError, *above: str) -> str:
    """The first thing that is wrong, as `key: reason`.

    Args:
        error: What pydantic says.
        above: Keys that lead to what was checked.
    """
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in (*above, *first['loc']))}: {first['msg']}"


def refers_to(record: Mapping[str, Any]) -> list[Named]:
    """Every artifact that a run's record lists or its recipe names; one may come up twice.

    A recipe of an older schema names nothing any more: what the record lists is then all.

    Raises:
        InputError: If the recipe cannot be followed here, as its model's folder is not there.
    """
    try:
        recipe = Recipe.model_validate(record["recipe"])
    except ValidationError:
        return listed(record)
    wanted = planned(recipe)
    named = [Named(spec.stage, spec.label, spec.fingerprint) for stage in NAMES for spec in wanted.of(stage)]
    return listed(record) + named
