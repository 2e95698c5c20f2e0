"""The manifest: the last file written of an artifact, and the only proof that it is complete."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class File(BaseModel):
    """One file of an artifact.

    Attributes:
        name: Its path within the artifact, such as `adapter/adapter_model.safetensors`.
        bytes: Its size.
        sha256: Of its bytes, 64 hex digits.
        rows: The number of rows, for a Parquet file.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    bytes: int
    sha256: str
    rows: int | None = None


class Manifest(BaseModel):
    """What an artifact is, what it was made from, what it holds and how it came to be.

    Attributes:
        stage: The stage that made it.
        version: The version of that stage.
        fingerprint: The artifact's name.
        identity: The settings that decided it.
        inputs: Fingerprints of what it was made from.
        attempt: The folder below the artifact's in which the files of the attempt that won lie.
        files: Every file of the artifact.
        metrics: What the stage measured.
        provenance: When, where, with which engine, device and versions; whatever may differ between equal runs.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    version: int
    fingerprint: str
    identity: dict[str, Any]
    inputs: dict[str, str | list[str]]
    attempt: str
    files: list[File]
    metrics: dict[str, Any]
    provenance: dict[str, Any]

    def file(self, name: str) -> File:
        """The entry of one file.

        Raises:
            KeyError: If the artifact has no such file.
        """
        for file in self.files:
            if file.name == name:
                return file
        raise KeyError(f"artifact {self.stage}/{self.fingerprint[:12]} has no file {name}")
