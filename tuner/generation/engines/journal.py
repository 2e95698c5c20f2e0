"""Finished completions on disk, so that a process that is killed costs only the requests in flight.

Each call of `Engine.complete` writes a file of its own, named after the requests that it begins with. A call that
begins with the same requests, such as the next attempt at a shard, reads it.
"""

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner import hashing
from tuner.generation.engines import Completion, Request
from tuner.settings import settings

UNFINISHED_SECONDS = 7 * 24 * 3600.0
FINISHED_SECONDS = 3600.0
"""How long files are kept: those of a call that has ended until its shard is surely in the store."""

_FINISHED = ".finished"


@dataclass(frozen=True)
class Entry:
    """A finished request.

    Attributes:
        completion: Its completion.
        seeded: Whether the server was given its seed.
    """

    completion: Completion
    seeded: bool


def key(request: Request, model: str, served: str) -> str:
    """The sha256 of everything that determines a completion.

    Args:
        request: The request.
        model: The model, as written in the recipe.
        served: Its name on the server.
    """
    parts = [model, served, request.prompt, request.stop, request.seed, request.turn]
    return hashing.of_text(json.dumps([*parts, request.sampling.model_dump(mode="json")]))


class Journal:
    """The journal of one call.

    Args:
        keys: The keys of the requests that the call begins with.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        folder = settings().folder("journals")
        _remove_old(folder)
        name = hashing.of_text("".join(keys))[:32]
        self._entries = {each: entry for path in folder.glob(f"{name}-*") for each, entry in _read(path)}
        self._path = folder / f"{name}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
        self._file = self._path.open("w", encoding="utf-8")
        self._lock = threading.Lock()  # another thread may write while the call is abandoned

    def find(self, key: str) -> Entry | None:
        """The entry of a request that an earlier call has finished."""
        return self._entries.get(key)

    def add(self, key: str, entry: Entry) -> None:
        """Writes a finished request; nothing after the call was closed."""
        said = entry.completion
        line = {"key": key, "text": said.text, "tokens": said.tokens, "finish": said.finish, "seeded": entry.seeded}
        with self._lock:
            if not self._file.closed:
                self._file.write(f"{json.dumps(line)}\n")
                self._file.flush()

    def close(self, finished: bool) -> None:
        """Closes the file.

        Args:
            finished: Whether the call has completed all of its requests.
        """
        with self._lock:
            self._file.close()
        if finished:
            self._path.rename(self._path.with_suffix(_FINISHED))


def _read(path: Path) -> Iterator[tuple[str, Entry]]:
    """The entries of a file; of a process that was killed, or still writes, the last line may be torn."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:  # another process has just renamed or removed it
        return
    for line in lines:
        try:
            said = json.loads(line)
            yield said["key"], Entry(Completion(said["text"], said["tokens"], said["finish"]), said["seeded"])
        except (ValueError, KeyError):
            continue


def _remove_old(folder: Path) -> None:
    for path in folder.iterdir():
        try:
            age = time.time() - path.stat().st_mtime
            if age > (FINISHED_SECONDS if path.suffix == _FINISHED else UNFINISHED_SECONDS):
                path.unlink()
        except FileNotFoundError:  # another process was first
            continue
