"""What a stage measured, as a typed value: each stage has a model of its own, beside the code that measures.

An artifact's manifest holds it as plain JSON, and `Metrics.read` is how it is read back.
"""

import math
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from tuner.artifacts.manifest import Manifest
from tuner.errors import DamagedArtifactError


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Finite = Annotated[float | None, BeforeValidator(_finite)]
"""A number, or None where it is infinite, not a number, or cannot be computed."""


class Metrics(BaseModel):
    """What a stage measured of an artifact, or a group of figures within that."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, manifest: Manifest) -> Self:
        """The metrics that an artifact's manifest holds.

        Raises:
            DamagedArtifactError: If they are not of this kind.
        """
        try:
            return cls.model_validate(manifest.metrics)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            problem = f"its metrics are not those of this version of the stage: {where}: {first['msg']}"
            raise DamagedArtifactError(manifest.stage, manifest.fingerprint, problem) from None


class Computed(Metrics):
    """What every stage measures whose cost is counted in a model's tokens.

    Attributes:
        tokens: Tokens that the model drew or learned from.
        seconds: How long that took.
        tokens_per_second: The one divided by the other.
        device: What computed, such as `cuda`.
        dtype: The number format, such as `bfloat16`.
    """

    tokens: int
    seconds: float
    tokens_per_second: float
    device: str
    dtype: str

    @classmethod
    def within(cls, manifest: Manifest) -> Self | None:
        """These figures alone, of an artifact of whatever stage; None if the stage does not measure them."""
        figures = {name: manifest.metrics[name] for name in cls.model_fields if name in manifest.metrics}
        return cls.model_validate(figures) if len(figures) == len(cls.model_fields) else None
