"""Metrics of the curation of a user's own file."""

from tuner.curation.metrics import Curated, Matched
from tuner.metrics import Metrics


class SourceFile(Metrics):
    """The file that was curated.

    Attributes:
        file: Its name.
        bytes: Its size.
        kind: The kind of its rows, such as `instruction, response`.
        rows: Rows in it.
        ids: The column of unique row names; None if rows are named by their position.
        others: The other columns that are kept.
        left: The columns that are dropped.
    """

    file: str
    bytes: int
    kind: str
    rows: int
    ids: str | None
    others: tuple[str, ...]
    left: tuple[str, ...]


class FileCuration(Curated):
    """The result of curating a file.

    Attributes:
        source: The file.
        set_aside: Rows that could not be curated by reason, the most frequent first.
        match: The metrics of each partition of the search for duplicates.
    """

    source: SourceFile
    set_aside: dict[str, int]
    match: tuple[Matched, ...]


class CuratedFile(FileCuration):
    """The result with its time and memory.

    Attributes:
        seconds: Time of each step, and of `all`.
        rows_per_second: Rows of the file divided by the total time.
        peak_memory_bytes: Peak memory of the process.
    """

    seconds: dict[str, float]
    rows_per_second: float
    peak_memory_bytes: int
