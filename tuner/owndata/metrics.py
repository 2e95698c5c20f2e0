"""Metrics of the curation of a user's own file."""

from tuner.curation.metrics import Curated, Matched
from tuner.reading.metrics import Layout


class SourceFile(Layout):
    """What was curated.

    Attributes:
        file: Its name; of several files the first, and how many more.
        files: The names of all.
        bytes: Its size.
        rows: Rows in it.
    """

    file: str
    files: tuple[str, ...]
    bytes: int
    rows: int


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
