"""Garbage collection: finds and removes unused files of the store, safely beside concurrent runs.

Garbage is, once it is older than a day:

- an attempt that no manifest names, left by a process that was killed or superseded;
- a complete artifact that is not referenced: a run refers to all artifacts of its recipe and to those that its record
  lists, an alias to every adapter that it ever pointed at, and an artifact to its inputs;
- a partial write, such as `manifest.json.<hex>`.

A run writes its record before it looks up artifacts. So manifests are removed first, then the records are read again,
and files are removed last: a run that began meanwhile either has a record by then, and its manifests are restored, or
it finds the artifact missing and makes it again.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from tuner import runs
from tuner.artifacts import aliases
from tuner.artifacts.files import Stored
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import MANIFEST, Store
from tuner.errors import DamagedArtifactError, InputError

AGE = timedelta(days=1)
"""Younger files may belong to a run in progress."""
BATCH = 200
"""Artifacts removed between two reads of the records."""

_PARTIAL = re.compile(
    r"(artifacts/[^/]+/[^/]+/manifest\.json|runs/[^/]+/run\.json|aliases/[^/]+/\d{6}\.json)\.[0-9a-f]+"
)


@dataclass(frozen=True)
class Garbage:
    """An artifact, attempt or partial write to remove.

    Attributes:
        kind: Which of these it is.
        path: Its folder or file, below the store.
        files: All its files.
        bytes: Their total size.
    """

    kind: Literal["artifact", "attempt", "partial write"]
    path: str
    files: tuple[str, ...]
    bytes: int

    @property
    def stage(self) -> str:
        """The stage of an artifact or attempt; for a partial write also `runs` or `aliases`."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "artifacts" else parts[0]


def collect(store: Store, dry_run: bool = False) -> list[Garbage]:
    """Removes the garbage of a store.

    Args:
        store: The store.
        dry_run: Only report what would be removed.

    Returns:
        The garbage that was removed, or would be, sorted by path.

    Raises:
        InputError: If a run's record or an alias cannot be read, so that its references are unknown.
        DamagedArtifactError: If a referenced manifest cannot be read.
    """
    folders = _folders(store)
    references = _References(store, {folder.fingerprint: folder.stage for folder in folders.values()})
    garbage = sorted([*_find(store, folders, references), *_partial_writes(store)], key=lambda item: item.path)
    if dry_run:
        return garbage
    removed = []
    artifacts = [item for item in garbage if item.kind == "artifact"]
    for start in range(0, len(artifacts), BATCH):
        removed += _remove_artifacts(store, artifacts[start : start + BATCH], references)
    for item in garbage:
        if item.kind != "artifact" and not _is_committed(store, item):
            store.remove(item.files)
            removed.append(item)
    return sorted(removed, key=lambda item: item.path)


def summary(garbage: Sequence[Garbage]) -> list[dict[str, Any]]:
    """Number and size of the garbage by kind and stage."""
    counts = Counter((item.kind, item.stage) for item in garbage)
    sizes: Counter[tuple[str, str]] = Counter()
    for item in garbage:
        sizes[item.kind, item.stage] += item.bytes
    return [
        {"what": kind, "of": stage, "number": number, "bytes": sizes[kind, stage]}
        for (kind, stage), number in sorted(counts.items())
    ]


@dataclass
class _ArtifactFolder:
    """An artifact's folder: its manifest, if it is complete, and its attempts."""

    stage: str
    fingerprint: str
    manifest: Stored | None = None
    attempts: dict[str, list[Stored]] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"artifacts/{self.stage}/{self.fingerprint}"

    @property
    def files(self) -> list[Stored]:
        return [file for attempt in self.attempts.values() for file in attempt]


def _folders(store: Store) -> dict[tuple[str, str], _ArtifactFolder]:
    folders: dict[tuple[str, str], _ArtifactFolder] = {}
    for file in store.listing("artifacts").values():
        _, *parts = file.path.split("/")
        if len(parts) < 3:
            continue
        stage, fingerprint, *rest = parts
        folder = folders.setdefault((stage, fingerprint), _ArtifactFolder(stage, fingerprint))
        if rest == [MANIFEST]:
            folder.manifest = file
        elif len(rest) > 1:
            folder.attempts.setdefault(rest[0], []).append(file)
    return folders


def _find(
    store: Store, folders: dict[tuple[str, str], _ArtifactFolder], references: "_References"
) -> Iterator[Garbage]:
    live = references.now()
    for folder in folders.values():
        committed = None
        if folder.manifest:
            if folder.fingerprint not in live and _is_old([folder.manifest]):
                yield _garbage("artifact", folder.path, folder.files)
                continue
            if len(folder.attempts) < 2:
                continue
            try:
                manifest = store.find(folder.stage, folder.fingerprint)
            except DamagedArtifactError:
                # Its attempt is unknown. The artifact will be made again, and its old files are garbage then.
                continue
            if manifest is None:
                continue
            committed = manifest.attempt
        for name, files in folder.attempts.items():
            if name != committed and _is_old(files):
                yield _garbage("attempt", f"{folder.path}/{name}", files)


def _partial_writes(store: Store) -> Iterator[Garbage]:
    for folder in ("artifacts", "runs", "aliases"):
        for path, file in store.listing(folder).items():
            if _PARTIAL.fullmatch(path) and _is_old([file]):
                yield _garbage("partial write", path, [file])


def _garbage(kind: Literal["artifact", "attempt", "partial write"], path: str, files: list[Stored]) -> Garbage:
    return Garbage(kind, path, tuple(file.path for file in files), sum(file.bytes for file in files))


def _is_old(files: Iterable[Stored]) -> bool:
    return all(datetime.now(UTC) - file.modified > AGE for file in files)


def _remove_artifacts(store: Store, batch: list[Garbage], references: "_References") -> Iterator[Garbage]:
    live = references.now()
    texts: dict[str, bytes] = {}
    for item in batch:
        text = store.read(f"{item.path}/{MANIFEST}")
        if text is not None and _fingerprint(item) not in live:
            texts[item.path] = text
            references.remember(_fingerprint(item), text)
    store.remove(f"{path}/{MANIFEST}" for path in texts)
    live = references.now()
    for item in batch:
        if item.path not in texts:
            continue
        if _fingerprint(item) in live:
            store.create(f"{item.path}/{MANIFEST}", texts[item.path])
        # S3 removes many keys in one request, and reports no error for a key that it could not remove.
        elif store.read(f"{item.path}/{MANIFEST}") is None:
            store.remove(item.files)
            yield item


def _fingerprint(artifact: Garbage) -> str:
    return artifact.path.rsplit("/", 1)[1]


def _is_committed(store: Store, attempt: Garbage) -> bool:
    """Whether a manifest now names the attempt."""
    if attempt.kind != "attempt":
        return False
    _, stage, fingerprint, name = attempt.path.split("/")
    manifest = store.find(stage, fingerprint)
    return manifest is not None and manifest.attempt == name


class _References:
    """The artifacts that runs and aliases refer to, with their inputs.

    Args:
        store: The store.
        stages: The stage of every artifact in the store, by fingerprint.
    """

    def __init__(self, store: Store, stages: dict[str, str]) -> None:
        self._store = store
        self._stages = stages
        self._live: set[str] = set()
        self._removed_inputs: dict[str, list[str]] = {}

    def now(self) -> set[str]:
        """The fingerprints referenced now or in an earlier call."""
        pending = [*self._of_runs(), *self._of_aliases()]
        while pending:
            fingerprint = pending.pop()
            if fingerprint in self._live:
                continue
            self._live.add(fingerprint)
            pending += self._inputs(fingerprint)
        return self._live

    def remember(self, fingerprint: str, manifest: bytes) -> None:
        """Remembers the inputs of an artifact whose manifest is about to be removed."""
        with suppress(ValidationError):  # an unreadable manifest has no known inputs
            self._removed_inputs[fingerprint] = _inputs(Manifest.model_validate_json(manifest))

    def _inputs(self, fingerprint: str) -> list[str]:
        stage = self._stages.get(fingerprint)
        manifest = self._store.find(stage, fingerprint) if stage else None
        return _inputs(manifest) if manifest else self._removed_inputs.get(fingerprint, [])

    def _of_runs(self) -> Iterator[str]:
        for name in self._store.run_names():
            record = self._store.read_run(name)
            if record is not None:
                yield from _of_run(self._store, name, record)

    def _of_aliases(self) -> Iterator[str]:
        for alias in aliases.names(self._store):
            for entry in aliases.history(self._store, alias):
                yield entry.fingerprint


def _inputs(manifest: Manifest) -> list[str]:
    return [
        fingerprint
        for inputs in manifest.inputs.values()
        for fingerprint in ([inputs] if isinstance(inputs, str) else inputs)
    ]


def _of_run(store: Store, name: str, record: dict[str, Any]) -> list[str]:
    try:
        try:
            artifacts = runs.referenced_artifacts(record)
        except InputError as error:
            # Only a completed run lists all artifacts that it used.
            if record["state"] != "completed":
                raise InputError(f"run {name}: its references cannot be determined on this machine: {error}") from None
            artifacts = runs.recorded_artifacts(record)
        former = record["recipe"].get("split", {}).get("former")
    except (KeyError, TypeError, AttributeError):
        place = f"{store.url}/runs/{name}/run.json"
        raise InputError(f"{place} is not the record of a run, so its references are unknown; remove it") from None
    return [*(artifact.fingerprint for artifact in artifacts), *([former] if former else [])]
