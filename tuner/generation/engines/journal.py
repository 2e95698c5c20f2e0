"""Finished completions on disk, so that a process that is killed costs only the requests in flight.

Each call of `Engine.complete` writes a file of its own, whose name begins with that of the model. The next engine of
that model, such as that of the next attempt at a shard, reads all of them.
"""

import json
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tuner import hashing
from tuner.generation.engines import Completion, Request
from tuner.settings import settings

UNFINISHED_SECONDS = 7 * 24 * 3600.0
FINISHED_SECONDS = 3600.0
"""How long files are kept: those of a call that has ended until its shard is surely in the store."""

_FINISHED = ".finished"
_KEY = re.compile(rb'\{"key": "([0-9a-f]+)"')


@dataclass(frozen=True)
class Entry:
    """A finished request.

    Attributes:
        completion: Its completion.
        seeded: Whether the server was given its seed.
    """

    completion: Completion
    seeded: bool


def key(request: Request) -> str:
    """The sha256 of everything in a request that determines its completion."""
    parts = [request.prompt, request.stop, request.seed, request.turn]
    return hashing.of_text(json.dumps([*parts, request.sampling.model_dump(mode="json")]))


class Journal:
    """What was finished of a model's requests on this machine, by this process and those before it.

    Args:
        model: The model, as written in the recipe.
        served: Its name on the server.
    """

    def __init__(self, model: str, served: str) -> None:
        self._folder = settings().folder("journals")
        self._name = hashing.of_text(json.dumps([model, served]))[:32]
        _remove_old(self._folder)
        # Where each entry begins: the texts of a large run do not fit into memory.
        self._places: dict[str, tuple[_File, int]] = {}
        for path in sorted(self._folder.glob(f"{self._name}-*")):
            file = _File(path)
            self._places |= {key: (file, begin) for key, begin in _keys(path)}

    def find(self, key: str) -> Entry | None:
        """The entry of a request that is finished."""
        file, begin = self._places.get(key, (None, 0))
        try:
            return file and _entry(file.path, begin)
        except FileNotFoundError:  # another process has just renamed or removed it
            return None

    def open(self) -> "Writer":
        """A new file for the requests of one call."""
        return Writer(_File(self._folder / f"{self._name}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"), self._places)


@dataclass
class _File:
    """A file, whose name changes when its call is finished."""

    path: Path


class Writer:
    """Writes what is finished of one call.

    Args:
        file: The file, which is created.
        places: Where entries begin, by key; gets those that are written.
    """

    def __init__(self, file: _File, places: dict[str, tuple[_File, int]]) -> None:
        self._of, self._places = file, places
        self._file = file.path.open("wb")
        self._end = 0  # asking the file costs a system call
        self._lock = threading.Lock()  # another thread may write while the call is abandoned

    def add(self, key: str, entry: Entry) -> None:
        """Writes a finished request; nothing after the call was closed."""
        said = entry.completion
        line = {"key": key, "text": said.text, "tokens": said.tokens, "finish": said.finish, "seeded": entry.seeded}
        with self._lock:
            if not self._file.closed:
                self._places[key] = self._of, self._end
                self._end += self._file.write(f"{json.dumps(line)}\n".encode())
                self._file.flush()

    def close(self, finished: bool) -> None:
        """Closes the file.

        Args:
            finished: Whether the call has completed all of its requests.
        """
        with self._lock:
            self._file.close()
        if finished:
            self._of.path = self._of.path.rename(self._of.path.with_suffix(_FINISHED))


def _keys(path: Path) -> Iterator[tuple[str, int]]:
    """The keys of a file and where their lines begin; of a process that was killed the last line may be torn."""
    begin = 0
    try:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n") and (key := _KEY.match(line)):
                    yield key[1].decode(), begin
                begin += len(line)
    except FileNotFoundError:  # another process has just renamed or removed it
        return


def _entry(path: Path, begin: int) -> Entry | None:
    with path.open("rb") as file:
        file.seek(begin)
        try:
            said = json.loads(file.readline())
            return Entry(Completion(said["text"], said["tokens"], said["finish"]), said["seeded"])
        except (ValueError, KeyError):  # not as it was written
            return None


def _remove_old(folder: Path) -> None:
    for path in folder.iterdir():
        try:
            age = time.time() - path.stat().st_mtime
            if age > (FINISHED_SECONDS if path.suffix == _FINISHED else UNFINISHED_SECONDS):
                path.unlink()
        except FileNotFoundError:  # another process was first
            continue
