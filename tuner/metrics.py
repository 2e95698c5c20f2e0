"""Metrics as typed values: each stage defines its own model beside its code.

An artifact's manifest holds them as plain JSON; `Metrics.read` reads them back.
"""

import math
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from tuner.artifacts.manifest import Manifest
from tuner.errors import DamagedArtifactError


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Finite = Annotated[float | None, BeforeValidator(_finite)]
"""A finite number; None where it is infinite, not a number or cannot be computed."""


class Metrics(BaseModel):
    """The metrics of an artifact, or a group of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, manifest: Manifest) -> Self:
        """Reads the metrics from an artifact's manifest.

        Raises:
            DamagedArtifactError: If they do not fit this model.
        """
        try:
            return cls.model_validate(manifest.metrics)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            problem = f"its metrics do not fit this version of the stage: {where}: {first['msg']}"
            raise DamagedArtifactError(manifest.stage, manifest.fingerprint, problem) from None


class Computed(Metrics):
    """Metrics of every stage whose cost is counted in tokens.

    Attributes:
        tokens: Tokens generated or trained on.
        seconds: Duration.
        tokens_per_second: Tokens divided by seconds.
        device: The device, such as `cuda`.
        dtype: The number format, such as `bfloat16`.
    """

    tokens: int
    seconds: float
    tokens_per_second: float
    device: str
    dtype: str

    @classmethod
    def within(cls, manifest: Manifest) -> Self | None:
        """These metrics alone, from the artifact of any stage; None if the stage does not measure them."""
        figures = {name: manifest.metrics[name] for name in cls.model_fields if name in manifest.metrics}
        return cls.model_validate(figures) if len(figures) == len(cls.model_fields) else None
