"""The store: a folder or an S3 prefix that holds artifacts, which never change, and runs, which tie them together.

    artifacts/<stage>/<fingerprint>/manifest.json        written last, create-only: the artifact is complete
    artifacts/<stage>/<fingerprint>/<attempt>/<file>     the files of one attempt
    runs/<name>/run.json                                 replaced whole at every change

Every attempt writes into a folder of its own, so two writers of one artifact never touch each other's files; the
first manifest wins and the other writer adopts it.
"""

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem
from pydantic import ValidationError

from tuner.artifacts import provenance
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import File, Manifest
from tuner.errors import DamagedArtifactError, InputError
from tuner.settings import settings

MANIFEST = "manifest.json"


class Store:
    """Artifacts and runs below one folder or S3 prefix.

    Args:
        url: A folder, or `s3://bucket/prefix`; credentials and endpoint come from the AWS_* environment.

    Raises:
        InputError: If the URL has a scheme that is neither.
    """

    def __init__(self, url: str) -> None:
        scheme = url.partition("://")[0] if "://" in url else "file"
        if scheme not in ("file", "s3"):
            raise InputError(f"TUNER_STORE: {url}: a store is a folder or s3://bucket/prefix, not {scheme}://")
        options = {"use_listings_cache": False} if scheme == "s3" else {"auto_mkdir": True}
        with self._explained(url):
            self._fs, root = fsspec.url_to_fs(url, **options)
        self.is_local = isinstance(self._fs, LocalFileSystem)
        self.root = root.rstrip("/")
        self.url = self.root if self.is_local else f"s3://{self.root}"

    def find(self, stage: str, fingerprint: str) -> Manifest | None:
        """The manifest of a complete artifact, or None.

        Raises:
            DamagedArtifactError: If the manifest itself cannot be read as one.
        """
        with self._explained(self.url):
            try:
                text = self._fs.cat_file(self._at(stage, fingerprint, MANIFEST))
            except (FileNotFoundError, NotADirectoryError):
                return None
        try:
            return Manifest.model_validate_json(text)
        except ValidationError:
            raise DamagedArtifactError(stage, fingerprint, f"{MANIFEST} is not readable") from None

    def problem(self, manifest: Manifest) -> str | None:
        """What is wrong with an artifact's files, judged by their presence and size; None if nothing is."""
        folder = self._at(manifest.stage, manifest.fingerprint, manifest.attempt)
        with self._explained(self.url):
            try:
                found = self._fs.find(folder, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                found = {}
        sizes = {path[len(folder) + 1 :]: info["size"] for path, info in found.items()}
        for file in manifest.files:
            if file.name not in sizes:
                return f"{file.name} is missing"
            if sizes[file.name] != file.bytes:
                return f"{file.name} has {sizes[file.name]:,} bytes instead of {file.bytes:,}"
        return None

    def fetch(self, manifest: Manifest, name: str) -> Path:
        """A file of an artifact as a local path, checked against its sha256.

        Raises:
            DamagedArtifactError: If the file is missing or its bytes are not what the manifest says.
            KeyError: If the artifact has no such file.
        """
        file = manifest.file(name)
        remote = self._at(manifest.stage, manifest.fingerprint, manifest.attempt, name)
        if self.is_local:
            path = Path(remote)
        else:
            path = settings().folder("cache/objects") / file.sha256
            if not (path.exists() and sha256_of(path) == file.sha256):
                partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
                with self._explained(self.url):
                    try:
                        self._fs.get_file(remote, str(partial))
                    except FileNotFoundError:
                        raise self._damaged(manifest, f"{name} is missing") from None
                partial.replace(path)
        try:
            if sha256_of(path) != file.sha256:
                raise self._damaged(manifest, f"{name} does not match its sha256")
        except FileNotFoundError:
            raise self._damaged(manifest, f"{name} is missing") from None
        return path

    def fetch_folder(self, manifest: Manifest, prefix: str, into: Path) -> Path:
        """Copies every file below a prefix of an artifact, checked, into a local folder.

        Returns:
            The folder that corresponds to the prefix.
        """
        for file in manifest.files:
            if file.name.startswith(f"{prefix}/"):
                target = into / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.fetch(manifest, file.name), target)
        return into / prefix

    def uri(self, manifest: Manifest, name: str = "") -> str:
        """Where a file of an artifact lies, or the folder of all of them."""
        path = self._at(manifest.stage, manifest.fingerprint, manifest.attempt, *([name] if name else []))
        return path if self.is_local else f"s3://{path}"

    def build(self, spec: Spec, make: Callable[[Path], Mapping[str, Any]]) -> Manifest:
        """Makes an artifact, unless it is there: then it is adopted.

        Processes of one machine take turns at one artifact; machines that race are settled by the manifest.

        Args:
            spec: What to make.
            make: Called with an empty folder to fill; returns the metrics.

        Raises:
            DamagedArtifactError: If it is there, but a file of it is missing or has another size.
            InputError: If the store cannot be written.
            Exception: Whatever `make` raises; nothing half-written is left where it could be read.
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
        """Takes a damaged artifact's manifest away, so that its stage is computed again. Its files stay."""
        with self._explained(self.url):
            try:
                self._fs.rm_file(self._at(damaged.stage, damaged.fingerprint, MANIFEST))
            except FileNotFoundError:
                return

    def manifests(self, stage: str) -> Iterator[Manifest]:
        """All complete artifacts of a stage, in no order; unreadable manifests are passed over."""
        with self._explained(self.url):
            paths = self._fs.glob(f"{self.root}/artifacts/{stage}/*/{MANIFEST}")
        for path in paths:
            try:
                manifest = self.find(stage, path.split("/")[-2])
            except DamagedArtifactError:
                continue
            if manifest:
                yield manifest

    def read_run(self, name: str) -> dict[str, Any] | None:
        """The record of a run, or None if there is none."""
        with self._explained(self.url):
            try:
                return json.loads(self._fs.cat_file(f"{self.root}/runs/{name}/run.json"))
            except (FileNotFoundError, NotADirectoryError):
                return None
            except ValueError:
                raise InputError(f"{self.url}/runs/{name}/run.json is not readable; remove it to start anew") from None

    def write_run(self, name: str, record: Mapping[str, Any]) -> None:
        """Replaces the record of a run, whole or not at all.

        Raises:
            InputError: If the store cannot be written.
        """
        path = f"{self.root}/runs/{name}/run.json"
        text = json.dumps(record, indent=2).encode()
        with self._explained(self.url):
            if self.is_local:
                partial = Path(f"{path}.{uuid.uuid4().hex}")
                partial.parent.mkdir(parents=True, exist_ok=True)
                _write(partial, text)
                partial.replace(path)
            else:
                self._fs.pipe_file(path, text)

    def run_names(self) -> list[str]:
        """The names of all runs, sorted."""
        with self._explained(self.url):
            return sorted(path.split("/")[-2] for path in self._fs.glob(f"{self.root}/runs/*/run.json"))

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
            provenance=dict(record),
        )
        folder = self._at(spec.stage, spec.fingerprint, attempt)
        try:
            with self._explained(self.url):
                for path, file in zip(paths, manifest.files, strict=True):
                    self._fs.put_file(str(path), f"{folder}/{file.name}")
                created = self._create(f"{self._at(spec.stage, spec.fingerprint)}/{MANIFEST}", manifest)
        except BaseException:
            self._discard(folder)
            raise
        if created:
            return manifest
        self._discard(folder)
        winner = self.find(spec.stage, spec.fingerprint)
        if winner is None:
            raise DamagedArtifactError(spec.stage, spec.fingerprint, "its manifest was taken away while it was adopted")
        return winner

    def _create(self, path: str, manifest: Manifest) -> bool:
        """Writes a manifest whole, or returns False if there is one already."""
        text = manifest.model_dump_json(indent=2).encode()
        if not self.is_local:
            try:
                self._fs.pipe_file(path, text, mode="create")  # If-None-Match: *
            except FileExistsError:
                return False
            return True
        partial = Path(f"{path}.{manifest.attempt}")
        _write(partial, text)
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
        finally:
            partial.unlink()
        return True

    def _discard(self, folder: str) -> None:
        """Removes an attempt that lost or failed; what cannot be removed is garbage, never read."""
        try:
            self._fs.rm(folder, recursive=True)
        except (OSError, ValueError):
            return

    def _at(self, stage: str, fingerprint: str, *parts: str) -> str:
        return "/".join((self.root, "artifacts", stage, fingerprint, *parts))

    @staticmethod
    def _damaged(manifest: Manifest, problem: str) -> DamagedArtifactError:
        return DamagedArtifactError(manifest.stage, manifest.fingerprint, problem)

    @staticmethod
    @contextmanager
    def _explained(url: str) -> Iterator[None]:
        """Turns what a file system throws into a line that says what to mend."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, PermissionError, OSError) as error:
            raise InputError(f"store {url}: {_reason(error, url)}") from error
        except Exception as error:
            # botocore's exceptions have no base in common with OSError, and importing it costs what a plan may take.
            foreign = type(error).__module__.partition(".")[0] in ("botocore", "aiobotocore", "aiohttp")
            # A malformed AWS_ENDPOINT_URL is a bare ValueError.
            if not foreign and not (isinstance(error, ValueError) and url.startswith("s3://")):
                raise
            raise InputError(f"store {url}: {_reason(error, url)}") from error


def _reason(error: Exception, url: str) -> str:
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free space and run the same command again, what is complete is kept"
    if url.startswith("s3://"):
        if isinstance(error, PermissionError) or type(error).__name__ in ("NoCredentialsError", "ClientError"):
            return f"access refused ({error}); check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        if isinstance(error, FileNotFoundError):
            return "there is no such bucket; create it first"
        return f"not reachable ({error}); check AWS_ENDPOINT_URL"
    return f"cannot be used ({getattr(error, 'strerror', None) or error}); set TUNER_STORE to a folder you can write"


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _entry(path: Path, name: str) -> File:
    rows = None
    if path.suffix == ".parquet":
        from pyarrow import parquet

        rows = parquet.read_metadata(path).num_rows
    return File(name=name, bytes=path.stat().st_size, sha256=sha256_of(path), rows=rows)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
