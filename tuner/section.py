"""The base class of a recipe's sections."""

from dataclasses import dataclass
from typing import Any, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator


@dataclass(frozen=True)
class FirstReadBy:
    """Marks a field whose first reader is a later stage than the section's first stage.

    The field then enters only that stage's fingerprint, so the artifacts of earlier stages stay valid. An unmarked
    field enters that of the section's first stage: a missing mark costs work, but never leaves a stale artifact.
    """

    stage: str


class Section(BaseModel):
    """A section of a recipe: frozen, with known keys and finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _reject_bool_as_number(cls, data: Any) -> Any:
        # pydantic would read `rows: true` as 1.
        numbers = {
            name
            for name, field in cls.model_fields.items()
            if {int, float}.intersection((field.annotation, *get_args(field.annotation)))
        }
        for key, value in cast(dict[str, Any], data).items() if isinstance(data, dict) else ():
            if isinstance(value, bool) and key in numbers:
                raise ValueError(f"{key} must be a number, not {str(value).lower()}")
        return cast(Any, data)

    def identity(self) -> dict[str, Any]:
        """The settings as plain data, as they enter fingerprints."""
        return self.model_dump(mode="json")

    def read_by(self, stage: str, first: str) -> dict[str, Any]:
        """The settings that enter the fingerprint of a stage, as plain data.

        Args:
            stage: The stage.
            first: The stage that reads the fields without a `FirstReadBy`.
        """
        plain = self.identity()
        entering: dict[str, Any] = {}
        for name, value in plain.items():
            field = type(self).model_fields.get(name)
            marks = [mark for mark in field.metadata if isinstance(mark, FirstReadBy)] if field else []
            reader = marks[0].stage if marks else first
            inner = getattr(self, name) if field else None
            if isinstance(inner, Section):
                if settings := inner.read_by(stage, reader):
                    entering[name] = settings
            elif reader == stage:
                entering[name] = value
        return entering


def added_field(default: Any, **constraints: Any) -> Any:
    """A field that was added to a section later, with a default that keeps the former behaviour.

    A field with this default is left out of the section's data, so that old recipes keep their fingerprints.

    Args:
        default: The default, immutable.
        constraints: Further arguments of `pydantic.Field`.
    """
    return Field(default=default, exclude_if=lambda value: value == default, **constraints)
