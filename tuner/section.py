"""A part of a recipe: what all its parts have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator


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


def added(default: Any, **constraints: Any) -> Any:
    """A field that a section was given later, with a default under which nothing changes.

    It is left out of the section's data while it has that default, so that old recipes keep their fingerprints.

    Args:
        default: Immutable.
        constraints: As of `pydantic.Field`.
    """
    return Field(default=default, exclude_if=lambda value: value == default, **constraints)
