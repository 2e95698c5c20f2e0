"""The learning curves and figures of a finished run, as trackers of experiments take them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from tuner import hashing, runs
from tuner.artifacts import parquet
from tuner.artifacts.fingerprint import canonical_json
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.evaluation import BASE
from tuner.evaluation.metrics import Evaluated
from tuner.export import origin
from tuner.recipe import Recipe
from tuner.runs import recipe_of
from tuner.training.metrics import Trained
from tuner.training.sweeps.trials import validated

Setting = str | int | float | bool


@dataclass(frozen=True)
class Step:
    """A step of a training.

    Attributes:
        number: Optimizer steps so far.
        time: When it was, in seconds since 1970.
        values: `train/loss` (nats per token), `train/learning_rate`, `train/epoch` and `train/seconds`.
    """

    number: int
    time: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Curve:
    """What is known of one subject of a run: an adapter, or the base.

    Attributes:
        run: The run's name.
        subject: The adapter's name, or `base`.
        settings: What decided it, without anything that is private to a machine.
        steps: Its training; empty for the base.
        figures: What was measured at its end, finite numbers only: the metrics of `train` under `trained/`, of
            `evaluate` under `held_out/` (loss and difference to the base, with their intervals) and `speed/`.
        time: The end of its training or evaluation, in seconds since 1970.
    """

    run: str
    subject: str
    settings: Mapping[str, Setting]
    steps: tuple[Step, ...]
    figures: Mapping[str, float]
    time: float

    @property
    def name(self) -> str:
        """What trackers call it."""
        return f"{self.run}/{self.subject}"

    @property
    def last(self) -> Step:
        """The figures as a step: that at which the training ended."""
        return Step(self.steps[-1].number if self.steps else 0, self.time, self.figures)

    @property
    def points(self) -> int:
        """The number of values."""
        return sum(len(step.values) for step in (*self.steps, self.last))

    @cached_property
    def digest(self) -> str:
        """The sha256 of all of it, by which an earlier export of the same is recognised."""
        return hashing.of_text(canonical_json(asdict(self)))


def read(store: Store, run: Mapping[str, Any]) -> list[Curve]:
    """Reads the curves of a run's adapters as far as they are trained, and the figures as far as it is evaluated.

    Args:
        store: The store of the run.
        run: The run's record.

    Raises:
        InputError: If the run has no trained adapter.
        DamagedArtifactError: If a file of the run is damaged.
    """
    recipe, name = recipe_of(run), str(run["name"])
    made = _made(store, run)
    found = next((manifest for stage, _, manifest in made if stage == "evaluate"), None)
    evaluated = Evaluated.read(found) if found else None
    trained = {label: manifest for stage, label, manifest in reversed(made) if stage == "train"}
    curves = [
        _of_adapter(store, name, recipe, label, trained, evaluated) for label in recipe.trained if label in trained
    ]
    if not curves:
        raise InputError(
            f"{name}: has no trained adapter yet (state: {run['state']}, until {run['until']}), so there are no "
            "curves to export; run its recipe until train or further"
        )
    if evaluated and found:
        figures = dict(_held_out(evaluated, BASE))
        curves.append(Curve(name, BASE, _student(recipe), (), figures, _moment(found, "ended")))
    return curves


def _made(store: Store, run: Mapping[str, Any]) -> list[tuple[str, str, Manifest]]:
    """Stage, label and manifest of the run's trainings and evaluation that exist; those of its record come first."""
    try:
        references = runs.referenced_artifacts(run)
    except InputError:  # a model's folder is not on this machine
        references = runs.recorded_artifacts(run)
    return [
        (each.stage, each.label, manifest)
        for each in references
        if each.stage in ("train", "evaluate") and (manifest := store.find(each.stage, each.fingerprint))
    ]


def _of_adapter(
    store: Store, run: str, recipe: Recipe, label: str, every: Mapping[str, Manifest], evaluated: Evaluated | None
) -> Curve:
    trained = every[label]
    began = _moment(trained, "started")
    columns = parquet.read(store.fetch(trained, "curve.parquet")).to_pylist()
    steps = tuple(Step(row["step"], began + row["seconds"], dict(_finite("train", row, {"step"}))) for row in columns)
    metrics = Trained.read(trained)
    figures = dict(_finite("trained", metrics.model_dump(), set()))
    if evaluated:
        figures |= dict(_held_out(evaluated, label))
    settings = {key: _plain(value) for key, value in _settings(recipe, label, every).items()}
    settings["seed"] = trained.identity["seed"]
    about = {"fingerprint": trained.fingerprint, "device": metrics.device, "dtype": metrics.dtype}
    return Curve(run, label, {**_student(recipe), **settings, **about}, steps, figures, _moment(trained, "ended"))


def _settings(recipe: Recipe, label: str, every: Mapping[str, Manifest]) -> dict[str, Any]:
    """The settings of a training: those of its adapter or, if it has a sweep, of the trial that was taken."""
    name = label.partition("#")[0]
    swept = Trained.read(every[name]).swept if name in every else None
    adapter = recipe.training[name]
    own = validated(name, adapter, swept.trials[swept.winner].settings) if swept else adapter
    return own.model_dump(mode="json", exclude={"sweep", "seeds"})


def _student(recipe: Recipe) -> dict[str, Setting]:
    return {"student": origin.public(recipe.models.student), "seed": recipe.seed}


def _held_out(evaluated: Evaluated, subject: str) -> Iterator[tuple[str, float]]:
    if loss := evaluated.subjects.get(subject):
        yield from _finite("held_out", loss.model_dump(), set())
    for each in evaluated.differences:
        if (each.a, each.b) == (subject, BASE):
            named = {"minus_base": each.difference, "low": each.low, "high": each.high, "p": each.p}
            yield from _finite("held_out/against_base", named, set())
    for each in evaluated.speed:
        if each.subject == subject:
            named = {"tokens_per_second": each.tokens_per_second, "low": each.low, "high": each.high}
            yield from _finite(f"speed/{'merged' if each.merged else 'separate'}", named, set())


def _finite(group: str, values: Mapping[str, Any], without: set[str]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if name not in without and number and math.isfinite(value):
            yield f"{group}/{name}", float(value)


def _plain(value: Any) -> Setting:
    return value if isinstance(value, Setting) else canonical_json(value)


def _moment(manifest: Manifest, name: str) -> float:
    return datetime.fromisoformat(manifest.provenance[name]).timestamp()
