"""The return value of a task: a small reference to an artifact, never data."""

from typing import Any

from pydantic import BaseModel

from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store


class Reference(BaseModel):
    """A reference to an artifact in the store.

    Attributes:
        stage: The stage that made it.
        label: The artifact's label within the stage.
        fingerprint: Its fingerprint.
        uri: The location of its files.
        rows: Number of rows; None if it has no tables.
    """

    stage: str
    label: str
    fingerprint: str
    uri: str
    rows: int | None


def reference(store: Store, manifest: Manifest, label: str) -> dict[str, Any]:
    """The reference to an artifact, as plain data."""
    counts = [file.rows for file in manifest.files if file.rows is not None]
    return Reference(
        stage=manifest.stage,
        label=label,
        fingerprint=manifest.fingerprint,
        uri=store.uri(manifest),
        rows=sum(counts) if counts else None,
    ).model_dump()
