"""The sides of a split: the one list that files, metrics, exports and reports follow."""

from collections.abc import Sequence
from itertools import combinations

from tuner.artifacts.manifest import Manifest

SIDES = ("train", "tuning", "validation")
"""Rows to train on, rows to choose by (when to stop, which settings), rows that only the verdict sees."""
TRAIN, TUNING, VALIDATION, LEFT_OUT = range(4)
"""Sides as integers; all but the last index `SIDES`."""
PURPOSES = ("training", "tuning", "validation")
"""What the rows of each side are for, in words: `training rows`."""


def file_of(side: str) -> str:
    """The name of a side's file in the folder of a split."""
    return f"{side}.parquet"


def pairs(sides: Sequence[int]) -> list[tuple[int, int]]:
    """Every two sides, which must share nothing near: the one whose rows are looked for, and the other, to look in."""
    return [(side, other) for other, side in combinations(sides, 2)]


def written(split: Manifest) -> list[str]:
    """The sides that a split has, in the order of `SIDES`: without rows to choose by there is no `tuning`."""
    names = {file.name for file in split.files}
    return [side for side in SIDES if file_of(side) in names]
