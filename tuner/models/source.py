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
        kind: `pypi` (a GGUF in a wheel), `hub`, `folder` or `gguf` (a file).
        name: The package, the hub id, or the path of the folder or the file.
        revision: The package's version or the hub's revision; empty for a path.
    """

    kind: Literal["pypi", "hub", "folder", "gguf"]
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
            case "folder" | "gguf":
                return Path(self.name).name

    def identity(self) -> dict[str, str]:
        """What identifies the weights: package and version, hub id and revision, or the content of folder or file.

        A hub revision that is a branch may move; give a commit in the recipe if that matters.

        Raises:
            InputError: If a folder does not exist.
        """
        if self.kind in ("folder", "gguf"):
            return {self.kind: _digest(Path(self.name))}
        return {self.kind: self.name, "revision": self.revision}


@dataclass(frozen=True)
class TemplateFile:
    """A chat template in a file of Jinja.

    Attributes:
        path: The file.
    """

    path: Path

    @property
    def text(self) -> str:
        """The template."""
        return self.path.read_text(encoding="utf-8")

    def identity(self) -> dict[str, str]:
        """What identifies it: its content."""
        return {"template": hashing.of_file(self.path)}


def parse(text: str, key: str = "model") -> Source:
    """Reads a model string.

    Args:
        text: `pypi:PACKAGE==VERSION`, `owner/name[@revision]`, or the path of a folder or a `.gguf` file that begins
            with `.`, `/` or `~`.
        key: The recipe's key, for the error.

    Raises:
        InputError: If it is none of these, or there is no such folder or file.
    """
    if len(text) > LONGEST:
        raise InputError(f"{key}: {text[:40]!r}... has {len(text):,} characters; a model has at most {LONGEST}")
    if match := _PYPI.fullmatch(text):
        return Source("pypi", match[1], match[2])
    if text.startswith((".", "/", "~")):
        try:
            path = Path(text).expanduser()
        except RuntimeError:  # `~name` of an unknown user
            path = Path(text)
        if path.suffix == ".gguf" and _is_file(path):
            return Source("gguf", str(path.absolute()))
        if not _is_file(path / "config.json"):
            raise InputError(f"{key}: {text}: not a model folder (it has no config.json), and no .gguf file")
        return Source("folder", str(path.absolute()))
    if match := _HUB.fullmatch(text):
        return Source("hub", match[1], match[2] or "main")
    raise InputError(
        f"{key}: {text!r} is not a model: write pypi:PACKAGE==VERSION, owner/name[@revision], ./folder or ./file.gguf"
    )


def parse_template(text: str, role: str) -> Source | TemplateFile:
    """Reads what a model is given its chat template by: another model, or a file of Jinja.

    Args:
        text: As for `parse`, or the path of a file that ends with `.jinja`.
        role: The model that is given it, for the error.

    Raises:
        InputError: If it is neither.
    """
    key = f"models.chat_template.{role}"
    if not text.endswith(".jinja"):
        return parse(text, key)
    if not _is_file(path := Path(text).expanduser()):
        raise InputError(f"{key}: {text}: no such file")
    return TemplateFile(path.absolute())


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _digest(place: Path) -> str:
    """sha256 over names and contents of a file, or a folder's files, cached by their sizes and modification times."""
    listed = place.iterdir() if place.is_dir() else [place]
    files = sorted(path for path in listed if path.is_file() and not path.name.startswith("."))
    stamp = json.dumps([[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files])
    cached = settings().folder("cache/folders") / hashing.of_text(f"{place}{stamp}")
    if cached.exists():
        return cached.read_text()
    digest = hashing.of_text("".join(f"{path.name} {hashing.of_file(path)}\n" for path in files))
    partial = cached.with_name(f"{cached.name}.{uuid.uuid4().hex}")
    partial.write_text(digest)
    partial.replace(cached)
    return digest
