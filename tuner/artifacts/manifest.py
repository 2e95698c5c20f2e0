"""The manifest: the last file of an artifact to be written, and the only proof that the artifact is complete.

Others may write into a store, so every name in a manifest is checked when it is read, before it is used as a path.
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
        sha256: The sha256 of its bytes, 64 hex digits.
        rows: Number of rows of a Parquet file.
    """

    model_config = ConfigDict(frozen=True)

    name: FileName
    bytes: int
    sha256: Sha256
    rows: int | None = None


class Manifest(BaseModel):
    """What an artifact is, what it was made from, its files and how it was made.

    Attributes:
        stage: The stage that made it.
        version: The version of that stage.
        fingerprint: The artifact's name.
        identity: The settings that decided it.
        inputs: Fingerprints of the artifacts that it was made from, by role.
        attempt: The folder of its files, below the artifact's folder: that of the attempt that was committed.
        files: Every file of the artifact.
        metrics: What the stage measured; read it with `tuner.metrics.Metrics.read`.
        provenance: Time, host, processor and package versions: whatever may differ between equal runs; and under
            `same_bytes` on which machines equal inputs give equal bytes.
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
    def fingerprint_is_valid(self) -> bool:
        """Whether the fingerprint follows from the stage, version, identity and inputs."""
        try:
            return Spec(self.stage, self.version, self.identity, self.inputs).fingerprint == self.fingerprint
        except TypeError:  # such as a NaN, which has no canonical JSON
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
