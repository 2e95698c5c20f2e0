"""The sha256 of files and texts, as 64 hex digits."""

import hashlib
from pathlib import Path


def of_file(path: Path) -> str:
    """The sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_text(text: str) -> str:
    """The sha256 of a text as UTF-8; undecodable bytes of a path are hashed as they are."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
