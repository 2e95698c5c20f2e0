"""A part of a recipe: what all its parts have in common."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


@dataclass(frozen=True)
class FirstReadBy:
    """Marks a field by the first stage that reads it, where that is a later one than the first of its section.

    The field then enters that stage's fingerprint, and the artifacts of the stages before stay. An unmarked field
    enters the section's first stage, so that one too many is made anew, never one too few.
    """

    stage: str


class Section(BaseModel):
    """A part of a recipe: frozen, strict about its keys, and of finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_as_number(cls, data: Any) -> Any:
        # pydantic would read `rows: true` as one row.
        for key, value in data.items() if isinstance(data, dict) else ():
            if isinstance(value, bool) and key in cls.model_fields and cls.model_fields[key].annotation in (int, float):
                raise ValueError(f"{key} must be a number, not {str(value).lower()}")
        return data

    def identity(self) -> dict[str, Any]:
        """The settings as plain data, as they enter fingerprints."""
        return self.model_dump(mode="json")

    def read_by(self, stage: str, first: str) -> dict[str, Any]:
        """The settings that enter the fingerprint of a stage, as plain data.

        Args:
            stage: The stage.
            first: The stage that reads what no `FirstReadBy` marks.
        """
        plain = self.identity()
        entering: dict[str, Any] = {}
        for name, value in plain.items():
            field = type(self).model_fields.get(name)
            marks = [mark for mark in field.metadata if isinstance(mark, FirstReadBy)] if field else []
            reader = marks[0].stage if marks else first
            inner = getattr(self, name) if field else None
            if isinstance(inner, Section):
                if found := inner.read_by(stage, reader):
                    entering[name] = found
            elif reader == stage:
                entering[name] = value
        return entering


def added(default: Any, **constraints: Any) -> Any:
    """A field that a section was given later, with a default under which nothing changes.

    It is left out of the section's data while it has that default, so that old recipes keep their fingerprints.

    Args:
        default: Immutable.
        constraints: As of `pydantic.Field`.
    """
    return Field(default=default, exclude_if=lambda value: value == default, **constraints)
