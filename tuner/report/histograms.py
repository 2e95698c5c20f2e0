"""Histograms of what curation measured, as counts: bars of kept and of rejected rows between edges."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WIDTHS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MOST_BARS = 40


@dataclass(frozen=True)
class Histogram:
    """Counts of rows.

    Attributes:
        edges: Of the bars, rising, shape (bars + 1,).
        kept: Rows that were kept, shape (bars,).
        rejected: Rows that were rejected, shape (bars,).
        log: Whether the axis is logarithmic.
    """

    edges: NDArray[np.float64]
    kept: NDArray[np.int64]
    rejected: NDArray[np.int64]
    log: bool = False


def linear(
    values: NDArray[np.float64], kept: NDArray[np.bool_], low: float, high: float, limits: Sequence[float]
) -> Histogram:
    """Counts over a linear axis.

    Args:
        values: Finite, shape (rows,). What lies beyond an end is counted in the bar at that end.
        kept: Which rows were kept, shape (rows,).
        low: Where the axis begins, at the latest; limits lie on it in any case.
        high: Where it ends, at the earliest.
        limits: Limits to draw in: the axis takes them in, and where their decimals allow, bars begin at them, so
            that none holds rows of both sides.
    """
    low, high = min([low, *limits]), max([high, *limits])
    fitting = [width for width in _WIDTHS if (high - low) / width <= _MOST_BARS]
    width = fitting[0] if fitting else (high - low) / _MOST_BARS
    # Rounded, since 3 times 0.1 is more than 0.3, and a score of 0.3 would fall below its own edge.
    first, last = int(np.floor(round(low / width, 6))), int(np.ceil(round(high / width, 6)))
    edges = np.round(np.arange(first, max(last, first + 1) + 1) * width, 6).astype(np.float64)
    return _counted(np.clip(values, edges[0], edges[-1]), kept, edges)


def logarithmic(values: NDArray[np.float64], kept: NDArray[np.bool_], limits: Sequence[float]) -> Histogram:
    """Counts whole numbers from 1 on over a logarithmic axis; bars lie between whole numbers.

    Args:
        values: Whole numbers of at least 1, shape (rows,).
        kept: Which rows were kept, shape (rows,).
        limits: The least and the most that passes; bars lie between them or beyond, so that none holds both.
    """
    fewest, most = max(1, min(limits)), max(limits)
    low, high = values.min(initial=fewest), values.max(initial=max(2, most))
    whole = np.round(np.geomspace(low, high + 1, 28))
    between = np.unique(np.concatenate([whole, np.array([fewest, most + 1.0])])) - 0.5
    return _counted(values, kept, between, log=True)


def _counted(
    values: NDArray[np.float64], kept: NDArray[np.bool_], edges: NDArray[np.float64], log: bool = False
) -> Histogram:
    counts = [np.histogram(values[chosen], edges)[0].astype(np.int64) for chosen in (kept, ~kept)]
    return Histogram(edges, *counts, log=log)
