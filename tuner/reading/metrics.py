"""What was read of the rows that people bring, and what of it was not."""

from collections.abc import Sequence

from pydantic import Field

from tuner.metrics import Metrics


class Layout(Metrics):
    """How rows were read.

    Attributes:
        kind: The columns that were read, such as `instruction, response`.
        unread_files: Files of its folders that are of no known format.
        ids: The column of unique row names; None if rows are named by their position.
        others: The other columns that are kept.
        left: The columns that are dropped.
        unread_keys: Keys of turns that were not read, and in how many rows they stand.
        earlier_thoughts: Turns before the assistant's last one whose thoughts were not kept.
        cut_turns: Turns after the assistant's last one, which were not kept.
        undesired: Rows that a column `label` or `kto_tag` says are bad examples.
    """

    kind: str
    unread_files: tuple[str, ...] = ()
    ids: str | None = None
    others: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    unread_keys: dict[str, int] = Field(default_factory=dict)
    earlier_thoughts: int = 0
    cut_turns: int = 0
    undesired: int = 0

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


class Read(Layout):
    """What was read of a recipe's source.

    Attributes:
        rows: The rows, or texts, that were read.
        set_aside: Rows that could not be read, by reason.
    """

    rows: int
    set_aside: dict[str, int] = Field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """How many rows were read, how many were not and why, and what of them was not."""
        aside = [f"{count:,} rows set aside: {reason}" for reason, count in self.set_aside.items()]
        return [f"{self.rows:,} rows of {self.kind}", *aside, *self.notes]


def _listed(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
