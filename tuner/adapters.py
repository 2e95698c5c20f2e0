"""The adapters of a store: their methods, losses, locations and aliases."""

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

MetricsType = TypeVar("MetricsType", bound=Metrics)
Made = tuple[Manifest, MetricsType]
"""A manifest with its metrics."""


@dataclass(frozen=True)
class Adapter:
    """A trained adapter of a run.

    Attributes:
        run: The run's name.
        adapter: The adapter's name in the run.
        method: The training method, such as `lora`.
        difference: Its held-out loss minus the base's, nats per token; None where the run did not evaluate it. The loss
            itself is not given, since losses on the held-out rows of different runs are not comparable.
        low: Lower end of the difference's 95 % interval.
        high: Upper end of that interval.
        rows: Number of held-out rows in the evaluation.
        split: Fingerprint of the split that holds them out.
        seconds: Duration of the training.
        bytes: Size of the weights, without the tokenizer beside them.
        fingerprint: Fingerprint of its artifact.
        uri: Its folder.
        aliases: The aliases that point at it, each with the reason of its last move.
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


def list_adapters(store: Store) -> list[Adapter]:
    """The complete adapters of all runs, sorted by run.

    Raises:
        InputError: If a run or an alias cannot be read.
    """
    aliases_of: dict[str, dict[str, str]] = {}
    for alias in aliases.names(store):
        if entry := aliases.current(store, alias):
            aliases_of.setdefault(entry.fingerprint, {})[alias] = entry.why
    return [
        _adapter(store, name, label, made, evaluated, aliases_of.get(made[0].fingerprint, {}))
        for name in store.run_names()
        for evaluated, trained in [_made(store, runs.find(store, name))]
        for label, made in trained.items()
    ]


def promote(store: Store, run: str, adapter: str, alias: str) -> aliases.Entry:
    """Points an alias at an adapter of a run, unless it already does.

    Raises:
        InputError: If there is no such run, or the run has no such adapter.
    """
    fingerprint = find(store, runs.find(store, run), adapter)[0].fingerprint
    entry = aliases.current(store, alias)
    if entry and entry.fingerprint == fingerprint:
        return entry
    return aliases.point(store, alias, run=run, adapter=adapter, fingerprint=fingerprint, why="promoted by hand")


def find(store: Store, record: Mapping[str, Any], adapter: str) -> Made[Trained]:
    """A complete adapter of a run.

    Raises:
        InputError: If the run has no such adapter.
    """
    trained = of_run(store, record)
    if adapter not in trained:
        known = ", ".join(trained) or "none yet"
        raise InputError(
            f"{record['name']}: has no adapter {adapter!r} (state: {record['state']}); complete adapters: {known}"
        )
    return trained[adapter]


def of_run(store: Store, record: Mapping[str, Any]) -> dict[str, Made[Trained]]:
    """A run's complete adapters, by name."""
    return _made(store, record)[1]


def _made(store: Store, record: Mapping[str, Any]) -> tuple[Made[Evaluated] | None, dict[str, Made[Trained]]]:
    """A run's evaluation, if any, and its complete adapters by name."""
    try:
        references = runs.referenced_artifacts(record)
    except InputError:  # a model's folder is not on this machine
        references = runs.recorded_artifacts(record)
    evaluated: Made[Evaluated] | None = None
    trained: dict[str, Made[Trained]] = {}
    for reference in references:
        if reference.stage == "train" and (made := _complete(store, reference, Trained)):
            trained.setdefault(reference.label, made)
        if reference.stage == "evaluate":
            evaluated = evaluated or _complete(store, reference, Evaluated)
    return evaluated, trained


def _complete(store: Store, reference: runs.ArtifactRef, kind: type[MetricsType]) -> Made[MetricsType] | None:
    try:
        manifest = store.find(reference.stage, reference.fingerprint)
        return (manifest, kind.read(manifest)) if manifest else None
    except DamagedArtifactError:  # the next run makes it again
        return None


def _adapter(
    store: Store,
    run: str,
    name: str,
    trained: Made[Trained],
    evaluated: Made[Evaluated] | None,
    aliases: Mapping[str, str],
) -> Adapter:
    manifest, training = trained
    evaluation, scores = evaluated or (None, None)
    differences = scores.differences if scores else ()
    to_base = next((each for each in differences if (each.a, each.b) == (name, BASE)), None)
    return Adapter(
        run=run,
        adapter=name,
        method=training.method,
        difference=to_base and to_base.difference,
        low=to_base and to_base.low,
        high=to_base and to_base.high,
        rows=scores.subjects[BASE].rows if scores else None,
        split=str(evaluation.inputs["data"]) if evaluation else None,
        seconds=training.seconds,
        bytes=training.adapter_bytes,
        fingerprint=manifest.fingerprint,
        uri=store.uri(manifest, "adapter"),
        aliases=aliases,
    )
