"""The manifest: the last file written of an artifact, and the only proof that it is complete.

Others may write into a store, so every name in a manifest is checked as it is read: it becomes a path.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tuner.artifacts.files import checked
from tuner.artifacts.fingerprint import Spec

StageName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Attempt = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
FileName = Annotated[str, AfterValidator(checked)]


class File(BaseModel):
    """One file of an artifact.

    Attributes:
        name: Its path within the artifact, such as `adapter/adapter_model.safetensors`.
        bytes: Its size.
        sha256: Of its bytes, 64 hex digits.
        rows: The number of rows, for a Parquet file.
    """

    model_config = ConfigDict(frozen=True)

    name: FileName
    bytes: int
    sha256: Sha256
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
        metrics: What the stage measured, as `tuner.metrics.Metrics.read` reads it.
        provenance: When, where, with which engine, device and versions; whatever may differ between equal runs.
    """

    model_config = ConfigDict(frozen=True)

    stage: StageName
    version: int
    fingerprint: Sha256
    identity: dict[str, Any]
    inputs: dict[str, str | list[str]]
    attempt: Attempt
    files: list[File]
    metrics: dict[str, Any]
    provenance: dict[str, Any]

    @property
    def is_its_own(self) -> bool:
        """Whether the fingerprint is that of what the manifest says it was made from."""
        try:
            return Spec(self.stage, self.version, self.identity, self.inputs).fingerprint == self.fingerprint
        except TypeError:  # a NaN, which JSON may hold and no fingerprint stands for
            return False

    def file(self, name: str) -> File:
        """The entry of one file.

        Raises:
            KeyError: If the artifact has no such file.
        """
        for file in self.files:
            if file.name == name:
                return file
        raise KeyError(f"artifact {self.stage}/{self.fingerprint[:12]} has no file {name}")
