"""Formats of numbers, times and names, the same in the verdict, the tables and the figures."""

import math
from dataclasses import dataclass
from typing import Any

ABSENT = "—"
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Estimate:
    """A measured number with its 95 % interval, each part None where it could not be computed.

    Attributes:
        value: The number.
        low: The lower end of its interval.
        high: The upper end.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def is_below_zero(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.low is not None and self.high is not None and self.high < 0

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low is not None and self.high is not None and self.low > 0

    def flipped(self) -> "Estimate":
        """The estimate of the negated number."""
        return Estimate(_negated(self.value), _negated(self.high), _negated(self.low))


def finite(value: Any) -> float | None:
    """A number, or None for what is missing, infinite or not a number."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def number(value: float | None, decimals: int = 3, sign: bool = False) -> str:
    """A number with a true minus sign and thousands separators, such as `1.532`."""
    if value is None:
        return ABSENT
    text = f"{value:+,.{decimals}f}" if sign else f"{value:,.{decimals}f}"
    return text.replace("-", MINUS)


def span(estimate: Estimate) -> str:
    """The interval alone, such as `1.41 to 1.65`; empty if there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    decimals = _decimals(estimate.low, estimate.high)
    return f"{number(estimate.low, decimals)} to {number(estimate.high, decimals)}"


def interval(estimate: Estimate) -> str:
    """The interval in parentheses, such as `(95 % interval 1.41 to 1.65)`."""
    text = span(estimate)
    return f"(95 % interval {text})" if text else "(no interval could be computed)"


def signed(estimate: Estimate) -> str:
    """A difference with its sign, with as many decimals as its interval needs, and at least three."""
    decimals = 3
    if estimate.low is not None and estimate.high is not None:
        decimals = max(3, _decimals(estimate.low, estimate.high))
    return number(estimate.value, decimals, sign=True)


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return number(value, 0)


def rows_of(number_of: int) -> str:
    """A number of rows, such as `no row`, `1 row` or `1,203 rows`."""
    return "no row" if number_of == 0 else "1 row" if number_of == 1 else f"{count(number_of)} rows"


def percent(share: float | None) -> str:
    """A share in percent, with two significant digits when it is small."""
    if share is None:
        return ABSENT
    value = 100 * share
    decimals = 1 if value >= 10 else 2 if value >= 0.1 or value == 0 else 1 - math.floor(math.log10(abs(value)))
    return f"{number(value, decimals)} %"


def duration(seconds: float | None) -> str:
    """A duration in seconds, minutes or hours, whichever reads best."""
    if seconds is None:
        return ABSENT
    if seconds < 60:
        return f"{number(seconds, 1 if seconds < 10 else 0)} s"
    if seconds < 5400:
        return f"{number(seconds / 60, 1)} min"
    return f"{number(seconds / 3600, 1)} h"


def size(octets: float | None) -> str:
    """A size in decimal units: 1 MB is a million bytes."""
    if octets is None:
        return ABSENT
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if octets >= scale:
            value = octets / scale
            return f"{number(value, 2 if unit == 'GB' else 1 if value < 100 else 0)} {unit}"
    return f"{octets:.0f} bytes"


def rate(per_second: float | None) -> str:
    """A number of tokens per second."""
    return number(per_second, 1 if per_second is not None and per_second < 100 else 0)


def plain(identifier: str) -> str:
    """An identifier such as `response_too_long` as words."""
    return identifier.replace("_", " ")


def moment(at: str) -> str:
    """A time in UTC for a table, to the minute.

    Args:
        at: The time, ISO 8601 in UTC.
    """
    return at[:16].replace("T", " ")


def listed(names: list[str]) -> str:
    """Names as a list in a sentence, such as `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _decimals(low: float, high: float) -> int:
    # Two decimals, unless that would hide that the ends differ or on which side of 0 they lie.
    for decimals in (2, 3, 4, 5):
        left, right = round(low, decimals), round(high, decimals)
        if (left != right or low == high) and (left != 0 or low == 0) and (right != 0 or high == 0):
            return decimals
    return 6


def _negated(value: float | None) -> float | None:
    return None if value is None else -value
