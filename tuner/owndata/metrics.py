"""What the curation of a person's own file measures."""

from tuner.curation.metrics import Curated, Matched
from tuner.metrics import Metrics


class SourceFile(Metrics):
    """The file.

    Attributes:
        file: Its name.
        bytes: Its size.
        kind: What its rows were taken as, such as `instruction, response`.
        rows: Rows in it.
        ids: The column whose values name the rows; None if they are named by their place.
        others: The columns that are kept beside the texts.
        left: The columns that are not.
    """

    file: str
    bytes: int
    kind: str
    rows: int
    ids: str | None
    others: tuple[str, ...]
    left: tuple[str, ...]


class Taken(Curated):
    """What came of the rows of a file.

    Attributes:
        source: The file.
        set_aside: Rows that could not be curated, by why, the most frequent first.
        match: What each partition of the search for duplicates measured.
    """

    source: SourceFile
    set_aside: dict[str, int]
    match: tuple[Matched, ...]


class CuratedFile(Taken):
    """The same with what it cost.

    Attributes:
        seconds: How long each step took, and `all`.
        rows_per_second: Rows of the file divided by all seconds.
        peak_memory_bytes: The most memory that the process held.
    """

    seconds: dict[str, float]
    rows_per_second: float
    peak_memory_bytes: int
