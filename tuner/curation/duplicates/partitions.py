"""Into how many tasks the search for duplicates is divided. Reached from the command line: imports nothing heavy."""

from tuner.curation.checks.duplicates import Duplicates

ROWS_EACH = 250_000
MOST = 8


def partitions(rows: int) -> int:
    """How many partitions the bands of the signatures are divided into, each searched by a task of its own.

    Every partition looks at all rows but only at its share of the bands. What it holds in memory grows with rows times
    bands, so more rows are divided into more partitions until each has only two bands or so.

    Args:
        rows: Of all shards together.

    Returns:
        1 up to 250,000 rows, one more for each further 250,000, at most 8.
    """
    return min(MOST, max(1, -(-rows // ROWS_EACH)))


def bands(rows: int, duplicates: Duplicates) -> int:
    """How many partitions of bands there are to search: none if near duplicates are left."""
    return partitions(rows) if duplicates.near is not None else 0


def parts(rows: int, duplicates: Duplicates) -> int:
    """How many tasks the search has: one for each partition of the bands, and one more that compares vectors."""
    return bands(rows, duplicates) + (duplicates.semantic is not None)
