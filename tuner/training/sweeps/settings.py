"""The section `sweep` of an adapter: which settings are varied, over what, and how trials are chosen."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tuner.section import Section, added_field

MOST = 256
"""Trials in a sweep at most: each is at least one task of a flow run, which takes about 500."""

DECIDED = ("raced", "rounds")
"""What a run decides, and no user."""

Value = bool | int | float | str | None | tuple[str, ...]
"""A value of a setting; whether the method takes it is checked when the trials are made."""


class Range(Section):
    """All values between two.

    Attributes:
        low: The lowest value; `from` in a recipe.
        high: The highest value; `to` in a recipe.
        scale: Whether equal ratios (`log`) or equal differences (`linear`) are equally likely, or equally far apart.
        points: The number of values in a grid, both ends included; None where values are drawn.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    low: float = Field(alias="from", strict=True)
    high: float = Field(alias="to", strict=True)
    scale: Literal["log", "linear"] = "log"
    points: int | None = Field(default=None, ge=2, le=MOST)

    @model_validator(mode="after")
    def _has_an_inside(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"from {self.low:g} must be below to {self.high:g}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"from {self.low:g} must be above 0 on a log scale; or set scale: linear")
        return self

    def at(self, place: float) -> float:
        """The value at a place between 0, the lowest, and 1, the highest.

        Rounded to three digits, so that a value has the same spelling, and a trial the same fingerprint, everywhere.
        """
        if place in (0, 1):
            return self.high if place else self.low
        inside = self.low ** (1 - place) * self.high**place
        if self.scale == "linear":
            inside = self.low + (self.high - self.low) * place
        return self.rounded(inside)

    def rounded(self, value: float) -> float:
        """A value of the range in three digits."""
        return min(max(float(f"{value:.3g}"), self.low), self.high)


def _swept(value: Any) -> Any:
    """A list or a range, or an error in one line: that of a union would tell of both."""
    if isinstance(value, Range):
        return value
    if isinstance(value, dict):
        try:
            return Range.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"{part}: " for part in first["loc"])
            raise ValueError(f"{where}{first['msg'].removeprefix('Value error, ')}") from None
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is no list of values and no range such as {{from: 1e-5, to: 1e-2, scale: log}}")
    if not value:
        raise ValueError("is an empty list; give at least one value")
    values = tuple(cast(list[Any], value))
    if odd := [each for each in values if not _is_value(each)]:
        raise ValueError(f"{odd[0]!r} is no value; give numbers, texts, true, false, null or lists of texts")
    return values


def _is_value(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(each, str) for each in cast(list[Any], value))
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


Swept = Annotated[tuple[Value, ...] | Range, BeforeValidator(_swept)]


class Sweep(Section):
    """How an adapter's settings are varied. Every further key is a setting of its method: a list of values or a range.

    Attributes:
        how: `grid`, every combination; `random`, independent draws; `tpe`, draws that learn from the trials before.
        trials: Their number, for `random` and `tpe`; a grid has as many as there are combinations.
        race: Whether trials that surely lag are stopped. By default they are, unless `tpe` chooses by whole trainings.
        raced: The trials that went on after each look so far. A run decides it.
        rounds: The trials that `tpe` has proposed so far, by round. A run decides it.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Swept] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    how: Literal["grid", "random", "tpe"] = "grid"
    trials: int | None = Field(default=None, ge=2, le=MOST)
    race: bool | None = None
    raced: tuple[tuple[int, ...], ...] = added_field(())
    rounds: tuple[tuple[dict[str, Value], ...], ...] = added_field(())

    @property
    def asked(self) -> "Sweep":
        """The same as it was asked for: without what a run decided."""
        return self.model_copy(update=dict.fromkeys(DECIDED, ()))

    @property
    def decisions(self) -> int:
        """How much a run has decided so far: looks or rounds."""
        return len(self.raced) + len(self.rounds)

    @property
    def proposed(self) -> tuple[dict[str, Value], ...]:
        """The trials that `tpe` has proposed so far."""
        return tuple(trial for each in self.rounds for trial in each)

    @property
    def races(self) -> bool:
        """Whether trials that surely lag are stopped."""
        return self.how != "tpe" if self.race is None else self.race

    def running(self, leg: int, count: int) -> Sequence[int]:
        """The trials that are trained in a leg; those that run now are expected to run in all legs to come.

        Args:
            leg: The leg's number, from 0.
            count: The trials of the sweep.
        """
        decided = self.raced[:leg]
        return decided[-1] if decided else range(count)

    @property
    def swept(self) -> dict[str, tuple[Value, ...] | Range]:
        """The varied settings, in the order of the recipe."""
        return dict(self.__pydantic_extra__)

    @model_validator(mode="after")
    def _number_is_known(self) -> Self:
        if not self.swept:
            raise ValueError("varies nothing; name a setting, such as learning_rate: {from: 1e-4, to: 1e-2, points: 5}")
        if self.how == "tpe" and self.race:
            raise ValueError("race: true does not go with how: tpe, which learns from whole trainings")
        if self.how == "grid" and self.trials is not None:
            raise ValueError("trials: is for how: random or tpe; a grid has as many trials as combinations")
        if self.how != "grid" and self.trials is None:
            raise ValueError(f"trials: is missing; how: {self.how} needs their number, such as trials: 16")
        for key, values in self.swept.items():
            if not isinstance(values, Range):
                continue
            if self.how == "grid" and values.points is None:
                raise ValueError(f"{key}: points: is missing; a range in a grid needs their number, such as points: 5")
            if self.how != "grid" and values.points is not None:
                raise ValueError(f"{key}: points: is for how: grid; {self.how} draws anywhere in the range")
        return self
