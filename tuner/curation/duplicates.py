"""Exact duplicates: rows whose instruction and response are the same but for case, white space and Unicode form."""

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from tuner.curation.text import Pair, normalise


@dataclass(frozen=True)
class Candidate:
    """A row as it competes with its duplicates.

    Attributes:
        row_id: The row.
        key: Equal for duplicates.
        passes: Whether nothing else is wrong with it.
        quality: Its score.
        position: Where it was drawn; no two rows share one.
    """

    row_id: str
    key: Hashable
    passes: bool
    quality: float
    position: tuple[int, int, str]

    @property
    def rank(self) -> tuple[bool, float, tuple[int, int, str]]:
        """Sorts the row to keep first: one that passes, then the best score, then the one that was drawn first."""
        return (not self.passes, -self.quality if self.passes else 0.0, self.position)


def key(pair: Pair) -> bytes:
    """What duplicates have in common: 32 bytes, so that the texts of all rows need not be held at once."""
    return hashlib.sha256(f"{normalise(pair.instruction)}\n{normalise(pair.response)}".encode()).digest()


def winners(candidates: Iterable[Candidate]) -> dict[str, str]:
    """Names the row that stands for each doubled one.

    Only rows that pass everything else can win, else a rejected row could take a good one down with it; where none
    passes, the one that was drawn first stands for the others. The order of the candidates does not matter.

    Args:
        candidates: The rows that can be compared.

    Returns:
        The winner's row_id by the loser's; rows without a duplicate, and winners, are not in it.
    """
    groups: dict[Hashable, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.key, []).append(candidate)
    doubled: dict[str, str] = {}
    for group in groups.values():
        winner = min(group, key=lambda candidate: candidate.rank)
        doubled.update({loser.row_id: winner.row_id for loser in group if loser is not winner})
    return doubled
