"""Parses a recipe's model string, and identifies the model in fingerprints. Imports nothing heavy."""

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuner import hashing
from tuner.errors import InputError
from tuner.settings import settings

LONGEST = 512
"""The maximum length of a model string, in characters."""

_PYPI = re.compile(r"pypi:([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+]+)")
_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


@dataclass(frozen=True)
class Source:
    """A model's origin.

    Attributes:
        kind: `pypi` (a GGUF in a wheel), `hub` or `folder`.
        name: The package, the hub id or the folder's path.
        revision: The package's version or the hub's revision; empty for a folder.
    """

    kind: Literal["pypi", "hub", "folder"]
    name: str
    revision: str = ""

    @property
    def title(self) -> str:
        """A short name to display."""
        match self.kind:
            case "pypi":
                return f"{self.name} {self.revision}"
            case "hub":
                return self.name
            case "folder":
                return Path(self.name).name

    def identity(self) -> dict[str, str]:
        """What identifies the weights: package and version, hub id and revision, or the folder's content.

        A hub revision that is a branch may move; give a commit in the recipe if that matters.

        Raises:
            InputError: If a folder does not exist.
        """
        if self.kind == "folder":
            return {"folder": _digest(Path(self.name))}
        return {self.kind: self.name, "revision": self.revision}


def parse(text: str, key: str = "model") -> Source:
    """Reads a model string.

    Args:
        text: `pypi:PACKAGE==VERSION`, `owner/name[@revision]`, or a folder that begins with `.`, `/` or `~`.
        key: The recipe's key, for the error.

    Raises:
        InputError: If it is none of these, or a folder does not exist.
    """
    if len(text) > LONGEST:
        raise InputError(f"{key}: {text[:40]!r}... has {len(text):,} characters; a model has at most {LONGEST}")
    if match := _PYPI.fullmatch(text):
        return Source("pypi", match[1], match[2])
    if text.startswith((".", "/", "~")):
        try:
            folder = Path(text).expanduser()
        except RuntimeError:  # `~name` of an unknown user
            folder = Path(text)
        if not _is_file(folder / "config.json"):
            raise InputError(f"{key}: {text}: not a model folder (it has no config.json)")
        return Source("folder", str(folder.absolute()))
    if match := _HUB.fullmatch(text):
        return Source("hub", match[1], match[2] or "main")
    raise InputError(f"{key}: {text!r} is not a model: write pypi:PACKAGE==VERSION, owner/name[@revision] or ./folder")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _digest(folder: Path) -> str:
    """sha256 over the names and contents of a folder's files, cached by their sizes and modification times."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    stamp = json.dumps([[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files])
    cached = settings().folder("cache/folders") / hashing.of_text(f"{folder}{stamp}")
    if cached.exists():
        return cached.read_text()
    digest = hashing.of_text("".join(f"{path.name} {hashing.of_file(path)}\n" for path in files))
    partial = cached.with_name(f"{cached.name}.{uuid.uuid4().hex}")
    partial.write_text(digest)
    partial.replace(cached)
    return digest
