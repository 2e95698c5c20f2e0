"""The adapters of a store: what each is, how good it is, where it lies, and which aliases point at it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner import runs
from tuner.artifacts import aliases
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError


@dataclass(frozen=True)
class Adapter:
    """A trained adapter of a run.

    Attributes:
        run: The run's name.
        adapter: Its name in the run.
        method: Such as `lora`.
        loss: Held-out, nats per token; None where the run did not evaluate it.
        low: The lower end of the loss's 95 % interval.
        high: Its upper end.
        bytes: Its size.
        fingerprint: Of its artifact.
        uri: The folder that it lies in.
        aliases: Which point at it.
    """

    run: str
    adapter: str
    method: str
    loss: float | None
    low: float | None
    high: float | None
    bytes: int
    fingerprint: str
    uri: str
    aliases: tuple[str, ...]


def every(store: Store) -> list[Adapter]:
    """The complete adapters of all runs, in the order of the runs' names.

    Raises:
        InputError: If a run or an alias cannot be read.
    """
    pointing: dict[str, list[str]] = {}
    for alias in aliases.names(store):
        if entry := aliases.current(store, alias):
            pointing.setdefault(entry.fingerprint, []).append(alias)
    return [
        _adapter(store, name, label, manifest, losses, tuple(pointing.get(manifest.fingerprint, [])))
        for name in store.run_names()
        for losses, trained in [_of_run(store, runs.find(store, name))]
        for label, manifest in trained.items()
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
    fingerprint = trained[adapter].fingerprint
    entry = aliases.current(store, alias)
    if entry and entry.fingerprint == fingerprint:
        return entry
    return aliases.point(store, alias, run=run, adapter=adapter, fingerprint=fingerprint, why="promoted by hand")


def _of_run(store: Store, record: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Manifest]]:
    """Its losses by adapter, and its complete adapters by name."""
    try:
        named = runs.refers_to(record)
    except InputError:  # a model's folder is not on this machine: what was recorded is still there
        named = runs.listed(record)
    losses: dict[str, Any] = {}
    trained: dict[str, Manifest] = {}
    for each in named:
        if each.stage in ("train", "evaluate") and (manifest := _complete(store, each)):
            if each.stage == "train":
                trained.setdefault(each.label, manifest)
            else:
                losses = losses or manifest.metrics["subjects"]
    return losses, trained


def _complete(store: Store, named: runs.Named) -> Manifest | None:
    try:
        return store.find(named.stage, named.fingerprint)
    except DamagedArtifactError:  # the next run makes it anew
        return None


def _adapter(
    store: Store, run: str, name: str, manifest: Manifest, losses: Mapping[str, Any], pointing: tuple[str, ...]
) -> Adapter:
    measured = losses.get(name, {})
    return Adapter(
        run=run,
        adapter=name,
        method=manifest.metrics["method"],
        loss=measured.get("loss"),
        low=measured.get("low"),
        high=measured.get("high"),
        bytes=sum(file.bytes for file in manifest.files if file.name.startswith("adapter/")),
        fingerprint=manifest.fingerprint,
        uri=store.uri(manifest, "adapter"),
        aliases=pointing,
    )
