"""The recipe's section on the split."""

from typing import Annotated

from pydantic import Field

from tuner.section import Section


class Split(Section):
    """How kept rows are split.

    Attributes:
        validation: The share of instructions, by hash, that is held out.
        similarity: Instructions whose word n-gram sets have this Jaccard similarity stay on one side.
        ngram: Words in such an n-gram; a shorter instruction is one n-gram.
        former: The fingerprint of an earlier split in the store, whose rows keep their sides.
    """

    validation: float = Field(default=0.1, gt=0, lt=1)
    similarity: float = Field(default=0.5, ge=0.3, le=1)
    ngram: int = Field(default=5, ge=1, le=20)
    former: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
