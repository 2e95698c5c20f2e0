"""How many tasks search for duplicates. Imported by the command line, so it imports nothing heavy."""

from tuner.curation.checks.duplicates import Duplicates

ROWS_EACH = 1_000_000
MOST = 8


def partition_count(rows: int) -> int:
    """How many partitions the bands of the signatures are divided into, each searched by its own task.

    A partition covers all rows but only its share of the bands. Its memory grows with rows times bands, so more rows
    take more partitions. Most candidates share bands of several partitions, each of which reads their texts: a million
    rows in four take three times as long as in one.

    Args:
        rows: Of all shards together.

    Returns:
        1 up to 1,000,000 rows, one more for each further million, at most 8.
    """
    return min(MOST, max(1, -(-rows // ROWS_EACH)))


def near_partition_count(rows: int, duplicates: Duplicates) -> int:
    """How many partitions are searched for near duplicates: 0 if the recipe leaves those."""
    return partition_count(rows) if duplicates.near is not None else 0


def task_count(rows: int, duplicates: Duplicates) -> int:
    """How many tasks search for duplicates: one for each partition of the bands, and one that compares vectors."""
    return near_partition_count(rows, duplicates) + (duplicates.semantic is not None)
