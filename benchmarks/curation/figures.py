"""A figure beside its goal, and the table that all of them make."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Something measured.

    Attributes:
        name: What it is; indented by two blanks if it only explains the one before.
        value: What was measured; NaN if it could not be.
        unit: Behind the value, such as `rows/s`.
        least: The goal, if more is better.
        most: The goal, if less is better.
        note: What else there is to say.
    """

    name: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None if there is none."""
        if self.least is not None:
            return self.value >= self.least
        return self.value <= self.most if self.most is not None else None


def table(heading: str, figures: Sequence[Figure]) -> str:
    """The figures under a heading, a line each."""
    return "\n".join([f"\n{heading}", *(_line(figure) for figure in figures)])


def summary(figures: Sequence[Figure]) -> str:
    """How many goals were met, and which were not."""
    judged = [figure for figure in figures if figure.met is not None]
    missed = [figure.name for figure in judged if not figure.met]
    return f"\n{len(judged) - len(missed)} of {len(judged)} goals met" + (
        f"; not: {'; '.join(missed)}" if missed else ""
    )


def _line(figure: Figure) -> str:
    goal = ""
    if figure.least is not None:
        goal = f"goal: {_number(figure.least)} or more"
    elif figure.most is not None:
        goal = f"goal: {_number(figure.most)} or less"
    verdict = {True: "met", False: "NOT MET", None: ""}[figure.met]
    line = f"{figure.name:62}{_number(figure.value):>10} {figure.unit:8}{goal:26}{verdict:9}{figure.note}"
    return line.rstrip()


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"
