"""The recipe's section on the split."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from tuner.section import Section
from tuner.splitting.sides import SIDES, TUNING

TUNING_SHARE = 0.1
"""The share of the tuning side where the recipe does not say it and an adapter chooses by tuning rows."""


class Split(Section):
    """How kept rows are split.

    Attributes:
        validation: The share of instructions, by hash, that is held out for the verdict.
        tuning: The share, by the same hash, that adapters choose by: when to stop, which settings. None: a tenth if an
            adapter of the recipe chooses, else none. Left out of the section's data where it is 0 or None, so that a
            split without this side keeps its fingerprint.
        similarity: Instructions whose word n-gram sets have this Jaccard similarity stay on one side.
        ngram: Words in such an n-gram; a shorter instruction is one n-gram.
        former: The fingerprint of an earlier split in the store, whose rows keep their sides.
    """

    validation: float = Field(default=0.1, gt=0, lt=1)
    tuning: float | None = Field(default=None, ge=0, lt=1, exclude_if=lambda share: not share)
    similarity: float = Field(default=0.5, ge=0.3, le=1)
    ngram: int = Field(default=5, ge=1, le=20)
    former: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @property
    def sides(self) -> tuple[int, ...]:
        """The sides that are wanted, as integers; see `sides.SIDES`."""
        return tuple(side for side in range(len(SIDES)) if side != TUNING or self.tuning)

    def settled(self, choosing: Sequence[str]) -> Self:
        """These settings with a number for `tuning`.

        Args:
            choosing: The names of the adapters that choose by tuning rows.

        Raises:
            ValueError: If adapters choose and there are no rows for it, or if the shares leave none to train on.
        """
        tuning = self.tuning
        if tuning is None:
            tuning = TUNING_SHARE if choosing else 0.0
        if choosing and not tuning:
            raise ValueError(
                f"split.tuning: is 0, but training.{choosing[0]} chooses by tuning rows; set it to a share such as "
                f"{TUNING_SHARE}"
            )
        if self.validation + tuning >= 1:
            raise ValueError(
                f"split.tuning: {tuning:g} and split.validation {self.validation:g} leave no rows to train on; their "
                "sum must be below 1"
            )
        return self.model_copy(update={"tuning": tuning})
