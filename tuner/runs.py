"""Runs: named records of a recipe and the artifacts that it used or made."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from tuner import races
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Sha256, StageName
from tuner.artifacts.names import Name, check_name, now
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.recipe import Recipe
from tuner.registry import NAMES, planned, run_name
from tuner.training.sweeps.settings import DECIDED

State = Literal["running", "completed", "failed", "interrupted"]
Moment = Annotated[str, Field(pattern=r"^[0-9T:.+Z-]{1,40}$")]


@dataclass
class Run:
    """A run, whose record is saved to the store as it changes.

    Attributes:
        store: The store.
        record: The contents of `run.json`.
    """

    store: Store
    record: dict[str, Any]

    @property
    def name(self) -> str:
        """The run's name."""
        return self.record["name"]

    @classmethod
    def start(cls, store: Store, recipe: Recipe, name: str | None, until: str) -> "Run":
        """Starts a run, or continues the one of that name.

        Raises:
            InputError: If the name belongs to a run of another recipe, or the store cannot be written.
        """
        plain = recipe.model_dump(mode="json")
        chosen = check_name(name) if name else run_name(recipe)
        former = _read(store, chosen)
        if former and _asked(former["recipe"]) != _asked(plain):
            raise InputError(f"--name {chosen}: a run of another recipe has this name; choose another")
        if former and (drawn := former["recipe"]["generation"].get("drawn")):
            plain["generation"]["drawn"] = drawn  # it goes on from there
        run = cls(
            store,
            {
                "name": chosen,
                "recipe": plain,
                "until": until,
                "state": "running",
                "created": former["created"] if former else now(),
                "started": now(),
                # Attempts of one run share its limits until it completes.
                "since": former.get("since", now()) if former and former["state"] != "completed" else now(),
                "ended": None,
                "made": made(former) if former else None,
                "error": None,
                "flow_run": None,
                "artifacts": [],
            },
        )
        run.save()
        return run

    @classmethod
    def ensure_recorded(cls, store: Store, recipe: Recipe, until: str) -> AbstractContextManager[None]:
        """A context that records a run of the recipe, unless its default run exists; for making single artifacts.

        Without a run that refers to them, the artifacts would be garbage.

        Raises:
            InputError: If the store cannot be written.
        """
        if store.read_run(run_name(recipe)):
            return nullcontext()
        return cls.start(store, recipe, None, until).recorded()

    @property
    def recipe(self) -> Recipe:
        """Its recipe, with what was decided so far."""
        return recipe_of(self.record)

    def decide(self, recipe: Recipe) -> None:
        """Records what a run with a target has decided to draw, or one with a sweep to train."""
        self.record["recipe"] = recipe.model_dump(mode="json")
        self.save()

    def note(self, spec: Spec, outcome: Literal["cached", "made"]) -> None:
        """Records an artifact that the run used or made."""
        entry = {"stage": spec.stage, "label": spec.label, "fingerprint": spec.fingerprint, "outcome": outcome}
        self.record["artifacts"].append(entry)
        if outcome == "made" and self.record["state"] == "running":  # not for a comparison that is added later
            self._set_made()

    def end(self, state: State, error: str | None = None) -> None:
        """Records how the run ended."""
        self.record.update(state=state, ended=now(), error=error)
        if self.record["made"] is None and state == "completed":  # other runs made all artifacts
            self._set_made()
        self.save()

    def _set_made(self) -> None:
        """Sets `made`, the time of the last attempt that made an artifact, to that of this attempt."""
        self.record["made"] = {"started": self.record["started"], "ended": now()}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Records how a block ends: completed, interrupted, or failed with the error's message."""
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
        """Writes the record atomically."""
        self.store.write_run(self.name, self.record)


def find(store: Store, name: str) -> dict[str, Any]:
    """The record of a run.

    Raises:
        InputError: If there is no such run, or its file is not a valid record.
    """
    record = _read(store, check_name(name))
    if record is None:
        known = ", ".join(store.run_names()[-5:]) or "none yet"
        raise InputError(f"{name}: no such run in {store.url}; existing runs: {known}")
    return record


def _read(store: Store, name: str) -> dict[str, Any] | None:
    """The validated record of a run: others may write into a store, and names in a record are used as paths."""
    record = store.read_run(name)
    if record is None:
        return None
    try:
        if _Record.model_validate(record).name == name:
            return record
    except ValidationError:
        pass
    raise InputError(f"{store.url}/runs/{name}/run.json is not the record of this run; remove it to start again")


def _asked(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's data as it was asked for, without what a run decided, and without its limits."""
    generation = {key: value for key, value in recipe["generation"].items() if key not in ("drawn", "at_most")}
    return {
        **recipe,
        "generation": generation,
        "training": {name: asked_adapter(each) for name, each in recipe["training"].items()},
    }


def asked_adapter(adapter: Mapping[str, Any]) -> dict[str, Any]:
    """An adapter's data as it was asked for, without what its sweep has decided."""
    sweep = {key: value for key, value in adapter.get("sweep", {}).items() if key not in DECIDED}
    return {**adapter, **({"sweep": sweep} if sweep else {})}


def continued(store: Store, recipe: Recipe, name: str | None) -> Recipe:
    """A recipe with what was decided so far: what the run of that name draws for a target, and what sweeps came to.

    Raises:
        InputError: If the run's record is not valid.
    """
    if recipe.generation.kept is not None:
        former = _read(store, check_name(name) if name else run_name(recipe))
        if former and _asked(former["recipe"]) == _asked(recipe.model_dump(mode="json")):
            drawn = recipe_of(former).generation.drawn
            recipe = recipe.model_copy(update={"generation": recipe.generation.model_copy(update={"drawn": drawn})})
    return races.known(recipe, store)


def made(record: Mapping[str, Any]) -> dict[str, str] | None:
    """Start and end of the last attempt that made an artifact; an older record has only its last attempt."""
    attempt = {key: record[key] for key in ("started", "ended")}
    return record.get("made") or (attempt if record["state"] == "completed" else None)


@dataclass(frozen=True)
class ArtifactRef:
    """A run's reference to an artifact, which may be missing in the store.

    Attributes:
        stage: The stage.
        label: The artifact's label.
        fingerprint: Its fingerprint.
    """

    stage: StageName
    label: str
    fingerprint: Sha256


class _Record(BaseModel):
    """The fields that every record of a run must have."""

    name: Name
    recipe: dict[str, Any]
    state: State
    created: Moment
    started: Moment
    ended: Moment | None
    artifacts: list[ArtifactRef]


_REFERENCES = TypeAdapter(list[ArtifactRef])


def recipe_of(record: Mapping[str, Any]) -> Recipe:
    """The recipe of a run.

    Raises:
        InputError: If another version of this program wrote it.
    """
    try:
        return Recipe.model_validate(record["recipe"])
    except ValidationError as error:
        raise InputError(
            f"run {record['name']}: its recipe was written by another version of this program ({_fault(error)}); "
            "use that version, or run the recipe again"
        ) from None


def recorded_artifacts(record: Mapping[str, Any]) -> list[ArtifactRef]:
    """The artifacts that a run's record lists: all that it used or made, once it has completed.

    Raises:
        InputError: If an entry is not valid.
    """
    try:
        return _REFERENCES.validate_python(record["artifacts"])
    except ValidationError as error:
        raise InputError(f"the record of a run has an invalid entry: {_fault(error, 'artifacts')}") from None


def _fault(error: ValidationError, *above: str) -> str:
    """The first validation error, as `key: reason`.

    Args:
        error: The error of pydantic.
        above: Keys above the validated value.
    """
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in (*above, *first['loc']))}: {first['msg']}"


def referenced_artifacts(record: Mapping[str, Any]) -> list[ArtifactRef]:
    """Every artifact that a run's record lists or its recipe plans; some may appear twice.

    For a recipe of an older schema, which cannot be planned, only those of the record.

    Raises:
        InputError: If the recipe cannot be planned on this machine, such as when a model's folder is missing.
    """
    try:
        recipe = Recipe.model_validate(record["recipe"])
    except ValidationError:
        return recorded_artifacts(record)
    wanted = planned(recipe)
    references = [ArtifactRef(spec.stage, spec.label, spec.fingerprint) for stage in NAMES for spec in wanted.of(stage)]
    return recorded_artifacts(record) + references
