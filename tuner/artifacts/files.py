"""Files below a folder or an S3 prefix: read, written whole or not at all, listed, removed; trouble is one line.

Nothing outside the folder is reached, whatever a path says: `..` is refused, and so is a link below the folder.
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

from fsspec.implementations.local import LocalFileSystem

from tuner import hashing
from tuner.artifacts.trouble import explained
from tuner.errors import InputError
from tuner.settings import settings


@dataclass(frozen=True)
class Stored:
    """A file as a listing shows it.

    Attributes:
        path: Such as `runs/quickstart-1f0c9a3e/run.json`.
        bytes: Its size.
        modified: When it was last written.
        tag: Differs between two contents of one file, where the store says so; else empty.
    """

    path: str
    bytes: int
    modified: datetime
    tag: str = ""


def checked(path: str) -> str:
    """A path below a folder, such as `adapter/adapter_model.safetensors`.

    Raises:
        ValueError: If it is absolute, has an empty part, `.` or `..`, or a character that cannot be printed.
    """
    if not path.isprintable() or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{path!r} is no path below a folder")
    return path


class Files:
    """A folder or an S3 prefix; every path that its methods take or give is below it.

    Args:
        url: A folder, or `s3://bucket/prefix`; credentials and endpoint come from the AWS_* environment.
        patient: Whether to read for up to ten seconds from an S3 that fails, as suits whatever nobody tries again;
            else, in a task, for one. What was computed is always written patiently.

    Raises:
        InputError: If the URL has a scheme that is neither. All methods: if what they ask for cannot be done.
        UnreachableError: All methods: if S3 does not answer just now.
    """

    def __init__(self, url: str, patient: bool = True) -> None:
        scheme = url.partition("://")[0] if "://" in url else "file"
        if scheme not in ("file", "s3"):
            raise InputError(f"TUNER_STORE: {url}: a store is a folder or s3://bucket/prefix, not {scheme}://")
        self.is_local = scheme == "file"
        with explained(url):
            self._fs, self._patient = _filesystems(self.is_local, patient)
            # As pathlib spells it, without `//` and `/./`: listings are spelt so, and a key in S3 is what is spelt.
            self.root = str(PurePosixPath(self._fs._strip_protocol(url))).rstrip("/")
        self.url = self.root if self.is_local else f"s3://{self.root}"

    def read(self, path: str) -> bytes | None:
        """What a file holds, or None if it is not there."""
        # Else s3fs asks for the size before, to read large files in parts.
        whole = {} if self.is_local else {"max_concurrency": 1}
        with explained(self.url):
            try:
                return self._fs.cat_file(self._full(path), **whole)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def listing(self, folder: str = "") -> dict[str, Stored]:
        """Every file below a folder, by path; none is left out because a part could not be listed."""
        with explained(self.url):
            if self.is_local:
                found = list(_local_files(self._full(folder)))
            else:
                listed = self._fs.find(self._full(folder), detail=True)
                # An empty folder is looked at once more by s3fs, and is one if a file has come meanwhile.
                files = {path: info for path, info in listed.items() if info["type"] == "file"}
                found = [(path, info["size"], info["LastModified"], info["ETag"]) for path, info in files.items()]
        start = len(self.root) + 1
        return {path[start:]: Stored(path[start:], size, modified, tag) for path, size, modified, tag in found}

    def read_known(self, files: Iterable[Stored]) -> dict[str, bytes]:
        """What small files hold that a listing has just shown; one that is gone meanwhile holds nothing.

        What this machine read from S3 before is not read again: the listing says whether it is still the same.
        """
        return {each.path: self._known(each) if each.tag else self.read(each.path) or b"" for each in files}

    def _known(self, file: Stored) -> bytes:
        name = hashing.of_text(f"{self.url}/{file.path} {file.bytes} {file.tag}")
        memory = settings().folder("cache/manifests") / name
        with suppress(FileNotFoundError):
            return memory.read_bytes()
        data = self.read(file.path)
        if data is not None:
            _partial(str(memory), data).replace(memory)
        return data or b""

    def replace(self, path: str, data: bytes) -> None:
        """Writes a file whole, in the place of what was there."""
        with explained(self.url):
            if self.is_local:
                _partial(self._full(path), data).replace(self._full(path))
            else:
                self._patient.pipe_file(self._full(path), data)

    def create(self, path: str, data: bytes) -> bool:
        """Writes a file whole, unless there is one already.

        Args:
            path: Where to.
            data: Unlike what any other writer would write there: a write whose answer got lost is known by it.

        Returns:
            Whether the file is ours.

        Raises:
            UnreachableError: If S3 did not answer; whether the file was written is then not known.
        """
        with explained(self.url):
            return self._create_locally(path, data) if self.is_local else self._create_remotely(path, data)

    def upload(self, source: Path, path: str) -> None:
        """Copies a file of this machine."""
        with explained(self.url):
            self._patient.put_file(str(source), self._full(path))

    def download(self, path: str, target: Path) -> bool:
        """Copies a file to this machine, whole or not at all; False if it is not there."""
        partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
        try:
            with explained(self.url):
                try:
                    self._fs.get_file(self._full(path), str(partial))
                except FileNotFoundError:
                    return False
            partial.replace(target)
            return True
        finally:
            partial.unlink(missing_ok=True)

    def remove(self, paths: Iterable[str]) -> None:
        """Removes files, and folders of this machine that held nothing else; what is not there is no trouble."""
        targets = [self._full(path) for path in paths]
        with explained(self.url):
            if not self.is_local:
                for start in range(0, len(targets), 1000):  # as many as one request takes
                    # Not `rm`, which takes a `[` or `*` in a path for a pattern.
                    self._patient.bulk_delete(targets[start : start + 1000])
                return
            for target in targets:
                with suppress(FileNotFoundError, NotADirectoryError):
                    Path(target).unlink()
        for folder in {Path(target).parent for target in targets}:
            with suppress(OSError):  # it holds something else
                while folder != Path(self.root):
                    folder.rmdir()
                    folder = folder.parent

    def _create_locally(self, path: str, data: bytes) -> bool:
        partial = _partial(self._full(path), data)
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
            if not s3.is_taken(error):
                raise
            return self.read(path) == data
        return True

    def is_link(self, path: str) -> bool:
        """Whether a path below a folder of this machine is a link, or leads through one."""
        full = Path(self.root, path)
        return any(each.is_symlink() for each in [full, *full.parents][: len(path.split("/"))])

    def _full(self, path: str) -> str:
        if not path:
            return self.root
        try:
            checked(path)
        except ValueError as error:
            raise InputError(f"store {self.url}: {error}") from None
        if self.is_local and self.is_link(path):
            raise InputError(f"store {self.url}: {path} is a link, or lies behind one; put a folder in its place")
        return f"{self.root}/{path}"


def _filesystems(is_local: bool, patient: bool) -> tuple[Any, Any]:
    """The one to read with, and the patient one."""
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
                if stat.S_ISREG(info.st_mode):  # what is behind a link is not in this folder
                    yield str(path), info.st_size, datetime.fromtimestamp(info.st_mtime, UTC), ""


def _partial(path: str, data: bytes) -> Path:
    """Writes a file beside the one that it is to become."""
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
