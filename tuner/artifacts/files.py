"""Files below a folder or an S3 prefix: reading, atomic writing, listing and removal, with one-line errors.

No path leads out of the folder: `..` is refused, and so is a symbolic link below the folder.
"""

import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec.implementations.local import LocalFileSystem  # pyright: ignore[reportMissingTypeStubs]

from tuner import hashing
from tuner.artifacts.failures import readable_errors
from tuner.errors import InputError
from tuner.settings import settings


@dataclass(frozen=True)
class Stored:
    """A file in a listing.

    Attributes:
        path: Path below the store, such as `runs/quickstart-1f0c9a3e/run.json`.
        bytes: Its size.
        modified: Time of the last write.
        tag: The ETag, which changes with the contents; empty for a local file.
    """

    path: str
    bytes: int
    modified: datetime
    tag: str = ""


def checked(path: str) -> str:
    """Returns a path if it stays below its folder, such as `adapter/adapter_model.safetensors`.

    Raises:
        ValueError: If it is absolute, has an empty part, `.` or `..`, or a character that cannot be printed.
    """
    if not path.isprintable() or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{path!r} is not a path below a folder")
    return path


class Files:
    """A folder or an S3 prefix; its methods take and return paths relative to it.

    Args:
        url: A folder, or `s3://bucket/prefix`; credentials and endpoint come from the AWS_* environment.
        patient: Whether to retry reads from S3 for up to ten seconds, for callers that are not retried themselves;
            otherwise one second, for tasks, which Prefect retries. Writes of results always retry for ten.

    Raises:
        InputError: If the URL has another scheme. All methods: if the store cannot be used.
        UnreachableError: All methods: if S3 is not reachable at the moment.
    """

    def __init__(self, url: str, patient: bool = True) -> None:
        scheme = url.partition("://")[0] if "://" in url else "file"
        if scheme not in ("file", "s3"):
            raise InputError(f"TUNER_STORE: {url}: a store is a folder or s3://bucket/prefix, not {scheme}://")
        self.is_local = scheme == "file"
        with readable_errors(url):
            self._fs, self._patient = _filesystems(self.is_local, patient)
            # Normalized by pathlib, without `//` and `/./`: listings are, and S3 keys are compared literally.
            self.root = str(PurePosixPath(self._fs._strip_protocol(url))).rstrip("/")
        self.url = self.root if self.is_local else f"s3://{self.root}"

    def read(self, path: str) -> bytes | None:
        """The contents of a file, or None if there is no such file."""
        # Without this, s3fs first requests the size, to read large files in parts.
        options = {} if self.is_local else {"max_concurrency": 1}
        with readable_errors(self.url):
            try:
                return self._fs.cat_file(self._full(path), **options)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def listing(self, folder: str = "") -> dict[str, Stored]:
        """Every file below a folder, by path; an error if any part of the folder cannot be listed."""
        with readable_errors(self.url):
            if self.is_local:
                files = list(_local_files(self._full(folder)))
            else:
                listed = self._fs.find(self._full(folder), detail=True)
                # s3fs looks up an empty folder again, and returns the folder itself if a file was written meanwhile.
                infos = {path: info for path, info in listed.items() if info["type"] == "file"}
                files = [(path, info["size"], info["LastModified"], info["ETag"]) for path, info in infos.items()]
        start = len(self.root) + 1
        return {path[start:]: Stored(path[start:], size, modified, tag) for path, size, modified, tag in files}

    def read_cached(self, files: Iterable[Stored]) -> dict[str, bytes]:
        """The contents of small files from a listing, by path; empty for a file removed since.

        Files of S3 are cached on this machine by their tag, so an unchanged file is read from S3 once.
        """
        return {file.path: self._cached(file) if file.tag else self.read(file.path) or b"" for file in files}

    def _cached(self, file: Stored) -> bytes:
        name = hashing.of_text(f"{self.url}/{file.path} {file.bytes} {file.tag}")
        cached = settings().folder("cache/manifests") / name
        with suppress(FileNotFoundError):
            return cached.read_bytes()
        data = self.read(file.path)
        if data is not None:
            _write_partial(str(cached), data).replace(cached)
        return data or b""

    def replace(self, path: str, data: bytes) -> None:
        """Writes a file atomically, replacing any earlier one."""
        with readable_errors(self.url):
            if self.is_local:
                _write_partial(self._full(path), data).replace(self._full(path))
            else:
                self._patient.pipe_file(self._full(path), data)

    def create(self, path: str, data: bytes) -> bool:
        """Writes a file atomically, unless it exists already.

        Args:
            path: The file's path.
            data: Its contents. They must be unique to this writer, which recognizes by them a write of its own whose
                response was lost.

        Returns:
            Whether this call created the file.

        Raises:
            UnreachableError: If S3 did not answer; the file may or may not have been written.
        """
        with readable_errors(self.url):
            return self._create_locally(path, data) if self.is_local else self._create_remotely(path, data)

    def upload(self, source: Path, path: str) -> None:
        """Copies a local file into the store."""
        with readable_errors(self.url):
            self._patient.put_file(str(source), self._full(path))

    def download(self, path: str, target: Path) -> bool:
        """Copies a file to this machine atomically; False if there is no such file."""
        partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
        try:
            with readable_errors(self.url):
                try:
                    self._fs.get_file(self._full(path), str(partial))
                except FileNotFoundError:
                    return False
            partial.replace(target)
            return True
        finally:
            partial.unlink(missing_ok=True)

    def remove(self, paths: Iterable[str]) -> None:
        """Removes files, and local folders that become empty; missing files are ignored."""
        targets = [self._full(path) for path in paths]
        with readable_errors(self.url):
            if not self.is_local:
                for start in range(0, len(targets), 1000):  # the most keys that one request may name
                    # Not `rm`, which reads `[` and `*` in a path as a pattern.
                    self._patient.bulk_delete(targets[start : start + 1000])
                return
            for target in targets:
                with suppress(FileNotFoundError, NotADirectoryError):
                    Path(target).unlink()
        for folder in {Path(target).parent for target in targets}:
            with suppress(OSError):  # it is not empty
                while folder != Path(self.root):
                    folder.rmdir()
                    folder = folder.parent

    def _create_locally(self, path: str, data: bytes) -> bool:
        partial = _write_partial(self._full(path), data)
        try:
            os.link(partial, self._full(path))
        except FileExistsError:
            return False
        finally:
            partial.unlink()
        return True

    def _create_remotely(self, path: str, data: bytes) -> bool:
        from tuner.artifacts import s3

        try:
            self._patient.pipe_file(self._full(path), data, mode="create")  # If-None-Match: *
        except OSError as error:
            if not s3.already_exists(error):
                raise
            return self.read(path) == data
        return True

    def is_link(self, path: str) -> bool:
        """Whether a local path is a symbolic link, or leads through one below the store."""
        full = Path(self.root, path)
        return any(part.is_symlink() for part in [full, *full.parents][: len(path.split("/"))])

    def _full(self, path: str) -> str:
        if not path:
            return self.root
        try:
            checked(path)
        except ValueError as error:
            raise InputError(f"store {self.url}: {error}") from None
        if self.is_local and self.is_link(path):
            raise InputError(
                f"store {self.url}: {path} is a symbolic link, or lies behind one; replace the link by a folder"
            )
        return f"{self.root}/{path}"


def _filesystems(is_local: bool, patient: bool) -> tuple[Any, Any]:
    """The file system to read with, and the patient one to write with."""
    if is_local:
        local = LocalFileSystem(auto_mkdir=True)
        return local, local
    from tuner.artifacts import s3

    return s3.filesystem(patient), s3.filesystem(patient=True)


def _local_files(folder: str) -> Iterator[tuple[str, int, datetime, str]]:
    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise error

    for base, _, names in os.walk(folder, onerror=fail):
        for name in names:
            path = Path(base, name)
            with suppress(FileNotFoundError):  # replaced or removed meanwhile
                info = path.lstat()
                if stat.S_ISREG(info.st_mode):  # the target of a link is not in this folder
                    yield str(path), info.st_size, datetime.fromtimestamp(info.st_mtime, UTC), ""


def _write_partial(path: str, data: bytes) -> Path:
    """Writes a file under a temporary name, beside the file that it will become."""
    partial = Path(f"{path}.{uuid.uuid4().hex}")
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    return partial
