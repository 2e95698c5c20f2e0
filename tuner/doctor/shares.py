"""Shares of rows with their 95 % intervals, and whether two of them differ."""

from dataclasses import dataclass
from math import hypot, sqrt

_Z = 1.959964
"""The 97.5 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Share:
    """So many of so many rows.

    Attributes:
        count: Rows that count.
        of: All rows, at least one.
    """

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share, 0 to 1."""
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (Wilson 1927), which also holds for few rows and for shares near 0 and 1."""
        n, p = self.of, self.value
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        reach = _Z / (1 + _Z**2 / n) * sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return max(0.0, middle - reach), min(1.0, middle + reach)

    def exceeds(self, other: "Share") -> bool:
        """Whether it is larger, and the 95 % interval of the difference excludes 0.

        The interval is the hybrid score interval of independent shares (method 10 of Newcombe 1998).
        """
        low, _ = self.interval
        _, high = other.interval
        return self.value - other.value > hypot(self.value - low, high - other.value)

    def surely_above(self, bound: float) -> bool:
        """Whether the whole interval lies above a bound."""
        return self.interval[0] > bound

    def __str__(self) -> str:
        low, high = (round(100 * end) for end in self.interval)
        return f"{self.value:.0%} ({low} to {high})"
