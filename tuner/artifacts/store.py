"""The store: a folder or an S3 prefix that holds artifacts, which never change, and runs, which refer to them.

    artifacts/<stage>/<fingerprint>/manifest.json        written last, create-only: marks the artifact as complete
    artifacts/<stage>/<fingerprint>/<attempt>/<file>     the files of one attempt
    runs/<name>/run.json                                 replaced atomically at every change
    aliases/<alias>/<number>.json                        create-only: a name for an adapter, moved by adding a number

Every attempt writes into a folder of its own, so two writers of one artifact never touch each other's files; the
first manifest wins and the other writer adopts it.
"""

import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import ValidationError

from tuner import hashing
from tuner.artifacts import provenance
from tuner.artifacts.files import Files, Stored
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import File, Manifest
from tuner.errors import DamagedArtifactError, InputError, TunerError
from tuner.settings import settings

MANIFEST = "manifest.json"


class Store(Files):
    """Artifacts and runs below one folder or S3 prefix; constructed like `Files`."""

    def find(self, stage: str, fingerprint: str) -> Manifest | None:
        """The manifest of a complete artifact, or None.

        Raises:
            DamagedArtifactError: If the manifest is not readable, or belongs to another artifact.
        """
        text = self.read(_at(stage, fingerprint, MANIFEST))
        return None if text is None else self._parsed(stage, fingerprint, text)

    def look_up(self, stage: str, fingerprints: Sequence[str]) -> dict[str, Manifest | DamagedArtifactError]:
        """The existing artifacts of a stage, by fingerprint, checked as by `find` and `problem`.

        Takes one listing, and one read of each manifest that this machine has not cached.
        """
        folder = _at(stage, *fingerprints) if len(fingerprints) == 1 else f"artifacts/{stage}"
        listed = self.listing(folder) if fingerprints else {}
        paths = {key: path for key in fingerprints if (path := _at(stage, key, MANIFEST)) in listed}
        texts = self.read_cached([listed[path] for path in paths.values()])
        artifacts: dict[str, Manifest | DamagedArtifactError] = {}
        for fingerprint, path in paths.items():
            try:
                manifest = self._parsed(stage, fingerprint, texts[path])
            except DamagedArtifactError as error:
                artifacts[fingerprint] = error
            else:
                problem = _problem(manifest, listed)
                artifacts[fingerprint] = self._damaged(manifest, problem) if problem else manifest
        return artifacts

    @staticmethod
    def _parsed(stage: str, fingerprint: str, text: bytes) -> Manifest:
        try:
            manifest = Manifest.model_validate_json(text)
        except ValidationError as error:
            bad_name = any(detail["loc"][-1:] == ("name",) for detail in error.errors())
            problem = "names a file outside the artifact" if bad_name else "is not readable"
            raise DamagedArtifactError(stage, fingerprint, f"{MANIFEST} {problem}") from None
        if (manifest.stage, manifest.fingerprint) != (stage, fingerprint) or not manifest.fingerprint_is_valid:
            raise DamagedArtifactError(stage, fingerprint, f"{MANIFEST} belongs to another artifact")
        return manifest

    def problem(self, manifest: Manifest) -> str | None:
        """The first problem of an artifact's files, by presence and size alone; None if there is none."""
        return _problem(manifest, self.listing(_at(manifest.stage, manifest.fingerprint, manifest.attempt)))

    def fetch(self, manifest: Manifest, name: str) -> Path:
        """The local path of an artifact's file, checked against its sha256.

        Raises:
            DamagedArtifactError: If the file is missing or does not match its sha256.
            KeyError: If the artifact has no such file.
        """
        file = manifest.file(name)
        stored = _at(manifest.stage, manifest.fingerprint, manifest.attempt, name)
        if self.is_local:
            if self.is_link(stored):
                raise self._damaged(manifest, f"{name} is a symbolic link")
            path = Path(self.root, stored)
        else:
            path = settings().folder("cache/objects") / file.sha256
            cached = path.exists() and hashing.of_file(path) == file.sha256
            if not cached and not self.download(stored, path):
                raise self._damaged(manifest, f"{name} is missing")
        try:
            if hashing.of_file(path) != file.sha256:
                raise self._damaged(manifest, f"{name} does not match its sha256")
        except FileNotFoundError:
            raise self._damaged(manifest, f"{name} is missing") from None
        return path

    def fetch_all(self, manifest: Manifest, prefix: str) -> list[Path]:
        """The local paths of an artifact's files below a prefix, checked, sorted by name."""
        return [self.fetch(manifest, file.name) for file in manifest.files if file.name.startswith(f"{prefix}/")]

    def fetch_folder(self, manifest: Manifest, prefix: str, into: Path) -> Path:
        """Copies an artifact's files below a prefix into a local folder, checked.

        Returns:
            The copy of the prefix.
        """
        for file in manifest.files:
            if file.name.startswith(f"{prefix}/"):
                target = into / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.fetch(manifest, file.name), target)
        return into / prefix

    def uri(self, manifest: Manifest, name: str = "") -> str:
        """The URL of an artifact's file, or of the folder of all its files."""
        return f"{self.url}/{_at(manifest.stage, manifest.fingerprint, manifest.attempt, *([name] if name else []))}"

    def build(self, spec: Spec, make: Callable[[Path], Mapping[str, Any]]) -> Manifest:
        """Makes an artifact, or returns the existing one.

        A lock lets one process of a machine at a time make an artifact; between machines the first manifest wins.

        Args:
            spec: The artifact to make.
            make: Fills the empty folder that it is called with; returns the metrics.

        Raises:
            DamagedArtifactError: If the artifact exists, but a file is missing or has another size.
            InputError: If the store cannot be written.
            Exception: Whatever `make` raises; the store then holds nothing of this attempt.
        """
        with FileLock(settings().folder("locks") / spec.fingerprint):
            if manifest := self.find(spec.stage, spec.fingerprint):
                if problem := self.problem(manifest):
                    raise self._damaged(manifest, problem)
                return manifest
            attempt = uuid.uuid4().hex[:12]
            scratch = settings().folder("scratch") / spec.fingerprint
            if scratch.exists():  # left by an attempt that was killed
                shutil.rmtree(scratch)
            scratch.mkdir()
            try:
                with provenance.recording() as record:
                    metrics = make(scratch)
                return self._commit(spec, attempt, scratch, metrics, record)
            finally:
                shutil.rmtree(scratch)

    def invalidate(self, damaged: DamagedArtifactError) -> None:
        """Removes a damaged artifact's manifest, so that the artifact is made again. Its files stay."""
        self.remove([_at(damaged.stage, damaged.fingerprint, MANIFEST)])

    def manifests(self, stage: str) -> Iterator[Manifest]:
        """The manifests of all complete artifacts of a stage, in no order; unreadable ones are skipped."""
        for path in self.listing(f"artifacts/{stage}"):
            fingerprint, _, name = path.removeprefix(f"artifacts/{stage}/").partition("/")
            if name != MANIFEST:
                continue
            try:
                manifest = self.find(stage, fingerprint)
            except DamagedArtifactError:
                continue
            if manifest:
                yield manifest

    def read_run(self, name: str) -> dict[str, Any] | None:
        """The record of a run, or None if there is none."""
        path = f"runs/{name}/run.json"
        text = self.read(path)
        try:
            return None if text is None else json.loads(text)
        except (ValueError, RecursionError):
            raise InputError(f"{self.url}/{path} is not readable; remove it to start again") from None

    def write_run(self, name: str, record: Mapping[str, Any]) -> None:
        """Replaces the record of a run atomically.

        Raises:
            InputError: If the store cannot be written.
        """
        self.replace(f"runs/{name}/run.json", json.dumps(record, indent=2).encode())

    def run_names(self) -> list[str]:
        """The names of all runs, sorted."""
        parts = [path.split("/") for path in self.listing("runs")]
        return sorted(part[1] for part in parts if part[2:] == ["run.json"])

    def _commit(
        self, spec: Spec, attempt: str, scratch: Path, metrics: Mapping[str, Any], record: Mapping[str, Any]
    ) -> Manifest:
        paths = sorted(path for path in scratch.rglob("*") if path.is_file())
        manifest = Manifest(
            stage=spec.stage,
            version=spec.version,
            fingerprint=spec.fingerprint,
            identity=dict(spec.identity),
            inputs=dict(spec.inputs),
            attempt=attempt,
            files=[_entry(path, path.relative_to(scratch).as_posix()) for path in paths],
            metrics=dict(metrics),
            provenance={
                "same_bytes": provenance.FROM_EQUAL if spec.exact else provenance.of_model(spec.stage),
                **record,
            },
        )
        stored = [_at(spec.stage, spec.fingerprint, attempt, file.name) for file in manifest.files]
        try:
            for source, path in zip(paths, stored, strict=True):
                self.upload(source, path)
        except BaseException:
            self._discard(stored)
            raise
        try:
            created = self.create(
                _at(spec.stage, spec.fingerprint, MANIFEST), manifest.model_dump_json(indent=2).encode()
            )
        except InputError:
            self._discard(stored)
            raise
        # After any other error the manifest may have been written, so its files must stay.
        if created:
            return manifest
        self._discard(stored)
        winner = self.find(spec.stage, spec.fingerprint)
        if winner is None:
            raise DamagedArtifactError(spec.stage, spec.fingerprint, "its manifest was removed by another process")
        return winner

    def _discard(self, paths: list[str]) -> None:
        """Removes the files of a failed or superseded attempt; any that remain are garbage and are never read."""
        with suppress(TunerError):
            self.remove(paths)

    @staticmethod
    def _damaged(manifest: Manifest, problem: str) -> DamagedArtifactError:
        return DamagedArtifactError(manifest.stage, manifest.fingerprint, problem)


def _at(stage: str, fingerprint: str, *parts: str) -> str:
    return "/".join(("artifacts", stage, fingerprint, *parts))


def _problem(manifest: Manifest, listed: Mapping[str, Stored]) -> str | None:
    """The first problem of an artifact's files, by a listing that includes its folder."""
    for file in manifest.files:
        stored = listed.get(_at(manifest.stage, manifest.fingerprint, manifest.attempt, file.name))
        if stored is None:
            return f"{file.name} is missing"
        if stored.bytes != file.bytes:
            return f"{file.name} has {stored.bytes:,} bytes instead of {file.bytes:,}"
    return None


def _entry(path: Path, name: str) -> File:
    rows = None
    if path.suffix == ".parquet":
        from tuner.artifacts import parquet

        rows = parquet.rows_of(path)
    return File(name=name, bytes=path.stat().st_size, sha256=hashing.of_file(path), rows=rows)
