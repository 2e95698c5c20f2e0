"""Metrics of the curation of a user's own file."""

from collections.abc import Sequence

from tuner.curation.metrics import Curated, Matched
from tuner.metrics import Metrics


class SourceFile(Metrics):
    """What was curated.

    Attributes:
        file: Its name; of several files the first, and how many more.
        files: The names of all.
        unread_files: Files of its folders that are of no known format.
        bytes: Its size.
        kind: The columns that were read, such as `instruction, response`.
        rows: Rows in it.
        ids: The column of unique row names; None if rows are named by their position.
        others: The other columns that are kept.
        left: The columns that are dropped.
        unread_keys: Keys of turns that were not read, and in how many rows they stand.
        earlier_thoughts: Turns before the assistant's last one whose thoughts were not kept.
        cut_turns: Turns after the assistant's last one, which were not kept.
        undesired: Rows that a column `label` or `kto_tag` says are bad examples.
    """

    file: str
    files: tuple[str, ...]
    unread_files: tuple[str, ...]
    bytes: int
    kind: str
    rows: int
    ids: str | None
    others: tuple[str, ...]
    left: tuple[str, ...]
    unread_keys: dict[str, int]
    earlier_thoughts: int
    cut_turns: int
    undesired: int

    @property
    def notes(self) -> list[str]:
        """What of it was not read or changed, each in a line."""
        notes = {
            "kept beside, no part of the text": self.others,
            "columns not read": self.left,
            "files not read": self.unread_files,
            "keys of turns not read": tuple(f"{key} ({rows:,} rows)" for key, rows in self.unread_keys.items()),
        }
        lines = [f"{what}: {_listed(names)}" for what, names in notes.items() if names]
        if self.earlier_thoughts:
            lines.append(f"thoughts of earlier turns, left out as chat templates do: {self.earlier_thoughts:,}")
        if self.cut_turns:
            lines.append(f"turns after the assistant's last one, cut off: {self.cut_turns:,}")
        if self.undesired:
            lines.append(f"marked as bad examples by their label, curated as all others: {self.undesired:,} rows")
        if {"rejected"} & {*self.others, *self.left}:
            lines.append("of a preference the chosen response is read")
        return lines


def _listed(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


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
