"""Garbage: what lies in the store and serves nothing any more, found and removed without disturbing who is at work.

What counts, once it is older than a day:

- an attempt that no manifest names, left by a process that was killed or lost a race;
- a complete artifact that no run and no alias refers to: a run refers to all artifacts of its recipe and to those that
  its record lists, an alias to every adapter that it ever pointed at, and all of them to what they are made from;
- the half of a write: `manifest.json.<hex>` and its like.

A run writes its record before it looks up what is there. So records are read again after the manifests were taken
away, and before any file is: a run that began meanwhile either shows in its record, and gets its manifests back, or
finds the artifact missing and makes it anew.
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
"""What is younger may belong to somebody who is at work."""
BATCH = 200
"""Artifacts removed between two looks at the records."""

_HALF = re.compile(r"(artifacts/[^/]+/[^/]+/manifest\.json|runs/[^/]+/run\.json|aliases/[^/]+/\d{6}\.json)\.[0-9a-f]+")


@dataclass(frozen=True)
class Garbage:
    """One thing to remove.

    Attributes:
        kind: An artifact, an attempt or half a write.
        path: Its folder or file, below the store.
        files: All its files.
        bytes: Their size.
    """

    kind: Literal["artifact", "attempt", "half a write"]
    path: str
    files: tuple[str, ...]
    bytes: int

    @property
    def stage(self) -> str:
        """The stage of an artifact or attempt; for half a write whose it is, `runs` or `aliases`."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "artifacts" else parts[0]


def collect(store: Store, dry_run: bool = False) -> list[Garbage]:
    """Removes the garbage of a store.

    Args:
        store: The store.
        dry_run: Only say what would be removed.

    Returns:
        What was removed, or would be, in the order of its paths.

    Raises:
        InputError: If a run's record or an alias cannot be read: what it refers to is not known.
        DamagedArtifactError: If a manifest that something refers to cannot be read.
    """
    shelves = _shelves(store)
    references = _References(store, {shelf.fingerprint: shelf.stage for shelf in shelves.values()})
    found = sorted([*_find(store, shelves, references), *_halves(store)], key=lambda each: each.path)
    if dry_run:
        return found
    removed = []
    artifacts = [each for each in found if each.kind == "artifact"]
    for start in range(0, len(artifacts), BATCH):
        removed += _remove_artifacts(store, artifacts[start : start + BATCH], references)
    for each in found:
        if each.kind != "artifact" and not _is_named(store, each):
            store.remove(each.files)
            removed.append(each)
    return sorted(removed, key=lambda each: each.path)


def summary(found: Sequence[Garbage]) -> list[dict[str, Any]]:
    """What was found, counted by kind and stage."""
    counts = Counter((each.kind, each.stage) for each in found)
    sizes: Counter[tuple[str, str]] = Counter()
    for each in found:
        sizes[each.kind, each.stage] += each.bytes
    return [
        {"what": kind, "of": stage, "number": number, "bytes": sizes[kind, stage]}
        for (kind, stage), number in sorted(counts.items())
    ]


@dataclass
class _Shelf:
    """The place of one artifact: its manifest, if it is complete, and the attempts at it."""

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


def _shelves(store: Store) -> dict[tuple[str, str], _Shelf]:
    shelves: dict[tuple[str, str], _Shelf] = {}
    for file in store.listing("artifacts").values():
        _, *parts = file.path.split("/")
        if len(parts) < 3:
            continue
        stage, fingerprint, *rest = parts
        shelf = shelves.setdefault((stage, fingerprint), _Shelf(stage, fingerprint))
        if rest == [MANIFEST]:
            shelf.manifest = file
        elif len(rest) > 1:
            shelf.attempts.setdefault(rest[0], []).append(file)
    return shelves


def _find(store: Store, shelves: dict[tuple[str, str], _Shelf], references: "_References") -> Iterator[Garbage]:
    live = references.now()
    for shelf in shelves.values():
        named = None
        if shelf.manifest:
            if shelf.fingerprint not in live and _is_old([shelf.manifest]):
                yield _garbage("artifact", shelf.path, shelf.files)
                continue
            if len(shelf.attempts) < 2:
                continue
            try:
                manifest = store.find(shelf.stage, shelf.fingerprint)
            except DamagedArtifactError:
                # Which attempt it names is not known; its stage will be computed anew, and it goes then.
                continue
            if manifest is None:
                continue
            named = manifest.attempt
        for name, files in shelf.attempts.items():
            if name != named and _is_old(files):
                yield _garbage("attempt", f"{shelf.path}/{name}", files)


def _halves(store: Store) -> Iterator[Garbage]:
    for folder in ("artifacts", "runs", "aliases"):
        for path, file in store.listing(folder).items():
            if _HALF.fullmatch(path) and _is_old([file]):
                yield _garbage("half a write", path, [file])


def _garbage(kind: Literal["artifact", "attempt", "half a write"], path: str, files: list[Stored]) -> Garbage:
    return Garbage(kind, path, tuple(file.path for file in files), sum(file.bytes for file in files))


def _is_old(files: Iterable[Stored]) -> bool:
    return all(datetime.now(UTC) - file.modified > AGE for file in files)


def _remove_artifacts(store: Store, batch: list[Garbage], references: "_References") -> Iterator[Garbage]:
    live = references.now()
    texts: dict[str, bytes] = {}
    for each in batch:
        text = store.read(f"{each.path}/{MANIFEST}")
        if text is not None and _fingerprint(each) not in live:
            texts[each.path] = text
            references.remember(_fingerprint(each), text)
    store.remove(f"{path}/{MANIFEST}" for path in texts)
    live = references.now()
    for each in batch:
        if each.path not in texts:
            continue
        if _fingerprint(each) in live:
            store.create(f"{each.path}/{MANIFEST}", texts[each.path])
        # S3 removes many at once, and says nothing of one that it did not.
        elif store.read(f"{each.path}/{MANIFEST}") is None:
            store.remove(each.files)
            yield each


def _fingerprint(artifact: Garbage) -> str:
    return artifact.path.rsplit("/", 1)[1]


def _is_named(store: Store, attempt: Garbage) -> bool:
    """Whether an attempt has become the artifact meanwhile."""
    if attempt.kind != "attempt":
        return False
    _, stage, fingerprint, name = attempt.path.split("/")
    manifest = store.find(stage, fingerprint)
    return manifest is not None and manifest.attempt == name


class _References:
    """What runs and aliases refer to, and what that is made from.

    Args:
        store: The store.
        stages: The stage of every artifact in it, by fingerprint.
    """

    def __init__(self, store: Store, stages: dict[str, str]) -> None:
        self._store = store
        self._stages = stages
        self._known: set[str] = set()
        self._taken_away: dict[str, list[str]] = {}

    def now(self) -> set[str]:
        """The fingerprints referred to now, and before: what was once seen to be used stays."""
        waiting = [*self._of_runs(), *self._of_aliases()]
        while waiting:
            fingerprint = waiting.pop()
            if fingerprint in self._known:
                continue
            self._known.add(fingerprint)
            waiting += self._inputs(fingerprint)
        return self._known

    def remember(self, fingerprint: str, manifest: bytes) -> None:
        """Keeps what an artifact is made from while its manifest is taken away."""
        with suppress(ValidationError):  # a manifest that nobody could read led nowhere
            self._taken_away[fingerprint] = _inputs(Manifest.model_validate_json(manifest))

    def _inputs(self, fingerprint: str) -> list[str]:
        stage = self._stages.get(fingerprint)
        manifest = self._store.find(stage, fingerprint) if stage else None
        return _inputs(manifest) if manifest else self._taken_away.get(fingerprint, [])

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
    return [each for made in manifest.inputs.values() for each in ([made] if isinstance(made, str) else made)]


def _of_run(store: Store, name: str, record: dict[str, Any]) -> list[str]:
    try:
        try:
            named = runs.refers_to(record)
        except InputError as error:
            # A run that has completed lists all that it used; of any other it is not known here.
            if record["state"] != "completed":
                raise InputError(f"run {name}: what it refers to is not known here: {error}") from None
            named = runs.listed(record)
        former = record["recipe"].get("split", {}).get("former")
    except (KeyError, TypeError, AttributeError):
        place = f"{store.url}/runs/{name}/run.json"
        raise InputError(f"{place} is not the record of a run, so what it refers to is not known; remove it") from None
    return [*(each.fingerprint for each in named), *([former] if former else [])]
