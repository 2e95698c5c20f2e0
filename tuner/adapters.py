"""The adapters of a store: what each is, how good it is, where it lies, and which aliases point at it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tuner import runs
from tuner.artifacts import aliases
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError
from tuner.evaluation import BASE
from tuner.evaluation.metrics import Evaluated
from tuner.metrics import Metrics
from tuner.training.metrics import Trained

Kind = TypeVar("Kind", bound=Metrics)
Made = tuple[Manifest, Kind]
"""An artifact with its metrics."""


@dataclass(frozen=True)
class Adapter:
    """A trained adapter of a run.

    Attributes:
        run: The run's name.
        adapter: Its name in the run.
        method: Such as `lora`.
        difference: Its held-out loss minus the base's, nats per token; None where the run did not evaluate it. The loss
            itself would invite a comparison with that of another run, which has other held-out rows.
        low: The lower end of the difference's 95 % interval.
        high: Its upper end.
        rows: Held-out rows that it was measured on.
        split: The split that they are of, by its fingerprint.
        seconds: How long its training took.
        bytes: The size of its weights; the tokenizer that lies beside them is not counted.
        fingerprint: Of its artifact.
        uri: The folder that it lies in.
        aliases: Which point at it, and why.
    """

    run: str
    adapter: str
    method: str
    difference: float | None
    low: float | None
    high: float | None
    rows: int | None
    split: str | None
    seconds: float
    bytes: int
    fingerprint: str
    uri: str
    aliases: Mapping[str, str]


def every(store: Store) -> list[Adapter]:
    """The complete adapters of all runs, in the order of the runs' names.

    Raises:
        InputError: If a run or an alias cannot be read.
    """
    pointing: dict[str, dict[str, str]] = {}
    for alias in aliases.names(store):
        if entry := aliases.current(store, alias):
            pointing.setdefault(entry.fingerprint, {})[alias] = entry.why
    return [
        _adapter(store, name, label, made, evaluated, pointing.get(made[0].fingerprint, {}))
        for name in store.run_names()
        for evaluated, trained in [_of_run(store, runs.find(store, name))]
        for label, made in trained.items()
    ]


def promote(store: Store, run: str, adapter: str, alias: str) -> aliases.Entry:
    """Points an alias at an adapter of a run, unless it points there already.

    Raises:
        InputError: If there is no such run, or the run has no such adapter.
    """
    record = runs.find(store, run)
    trained = _of_run(store, record)[1]
    if adapter not in trained:
        known = ", ".join(trained) or "none yet"
        raise InputError(f"{run}: has no adapter {adapter!r} (state: {record['state']}); complete are: {known}")
    fingerprint = trained[adapter][0].fingerprint
    entry = aliases.current(store, alias)
    if entry and entry.fingerprint == fingerprint:
        return entry
    return aliases.point(store, alias, run=run, adapter=adapter, fingerprint=fingerprint, why="promoted by hand")


def _of_run(store: Store, record: Mapping[str, Any]) -> tuple[Made[Evaluated] | None, dict[str, Made[Trained]]]:
    """Its evaluation if there is one, and its complete adapters by name."""
    try:
        named = runs.refers_to(record)
    except InputError:  # a model's folder is not on this machine: what was recorded is still there
        named = runs.listed(record)
    evaluated: Made[Evaluated] | None = None
    trained: dict[str, Made[Trained]] = {}
    for each in named:
        if each.stage == "train" and (made := _complete(store, each, Trained)):
            trained.setdefault(each.label, made)
        if each.stage == "evaluate":
            evaluated = evaluated or _complete(store, each, Evaluated)
    return evaluated, trained


def _complete(store: Store, named: runs.Named, kind: type[Kind]) -> Made[Kind] | None:
    try:
        manifest = store.find(named.stage, named.fingerprint)
        return (manifest, kind.read(manifest)) if manifest else None
    except DamagedArtifactError:  # the next run makes it anew
        return None


def _adapter(
    store: Store,
    run: str,
    name: str,
    trained: Made[Trained],
    evaluated: Made[Evaluated] | None,
    pointing: Mapping[str, str],
) -> Adapter:
    manifest, learned = trained
    evaluation, scored = evaluated or (None, None)
    compared = scored.differences if scored else ()
    measured = next((each for each in compared if (each.a, each.b) == (name, BASE)), None)
    return Adapter(
        run=run,
        adapter=name,
        method=learned.method,
        difference=measured and measured.difference,
        low=measured and measured.low,
        high=measured and measured.high,
        rows=scored.subjects[BASE].rows if scored else None,
        split=str(evaluation.inputs["data"]) if evaluation else None,
        seconds=learned.seconds,
        bytes=learned.adapter_bytes,
        fingerprint=manifest.fingerprint,
        uri=store.uri(manifest, "adapter"),
        aliases=pointing,
    )
