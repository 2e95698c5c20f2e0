"""Histograms of scores, as counts of kept and of rejected rows per bar."""

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
        edges: Edges of the bars, ascending, shape (bars + 1,).
        kept: Kept rows per bar, shape (bars,).
        rejected: Rejected rows per bar, shape (bars,).
        log: Whether the axis is logarithmic.
    """

    edges: NDArray[np.float64]
    kept: NDArray[np.int64]
    rejected: NDArray[np.int64]
    log: bool = False


def linear(
    values: NDArray[np.float64], kept: NDArray[np.bool_], low: float, high: float, limits: Sequence[float]
) -> Histogram:
    """A histogram with a linear axis.

    Args:
        values: Finite values, shape (rows,). Values beyond an end are counted in the bar at that end.
        kept: Which rows were kept, shape (rows,).
        low: Beginning of the axis, unless a limit is lower.
        high: End of the axis, unless a limit is higher.
        limits: Limits to draw. If their decimals allow, bars begin at them, so that no bar counts rows on both
            sides of a limit.
    """
    low, high = min([low, *limits]), max([high, *limits])
    fitting = [width for width in _WIDTHS if (high - low) / width <= _MOST_BARS]
    width = fitting[0] if fitting else (high - low) / _MOST_BARS
    # Rounded, since 3 times 0.1 is more than 0.3, and a score of 0.3 would fall below the edge at 0.3.
    first, last = int(np.floor(round(low / width, 6))), int(np.ceil(round(high / width, 6)))
    edges = np.round(np.arange(first, max(last, first + 1) + 1) * width, 6).astype(np.float64)
    return _histogram(np.clip(values, edges[0], edges[-1]), kept, edges)


def logarithmic(values: NDArray[np.float64], kept: NDArray[np.bool_], limits: Sequence[float]) -> Histogram:
    """A histogram of whole numbers from 1 on with a logarithmic axis; edges lie between whole numbers.

    Args:
        values: Whole numbers of at least 1, shape (rows,).
        kept: Which rows were kept, shape (rows,).
        limits: The smallest and the largest value that passes; no bar counts rows on both sides of one.
    """
    fewest, most = max(1, min(limits)), max(limits)
    low, high = values.min(initial=fewest), values.max(initial=max(2, most))
    whole = np.round(np.geomspace(low, high + 1, 28))
    edges = np.unique(np.concatenate([whole, np.array([fewest, most + 1.0])])) - 0.5
    return _histogram(values, kept, edges, log=True)


def _histogram(
    values: NDArray[np.float64], kept: NDArray[np.bool_], edges: NDArray[np.float64], log: bool = False
) -> Histogram:
    counts = [np.histogram(values[rows], edges)[0].astype(np.int64) for rows in (kept, ~kept)]
    return Histogram(edges, *counts, log=log)
