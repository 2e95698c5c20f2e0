"""The check `balance`: no kind of instruction makes up too much of what is kept."""

from typing import ClassVar, Literal

from pydantic import Field

from tuner.curation.check import Check
from tuner.curation.judging.tags import Kind


class Balance(Check):
    """Bounds how much of one kind is kept.

    Attributes:
        by: `opening`, the first two words of the instruction; `category`, that of the system prompt or a column of
            one's own data, and where a row has none the judge's; or another kind of the judge's tags.
        at_most: Rows of one kind that are kept, those of earlier rounds first, then the best.
    """

    version: ClassVar = 2
    does: ClassVar = "at most so many rows of one opening, category or tag"
    choices: ClassVar = {"over_balance": "enough better rows of this kind were kept"}
    loosened: ClassVar = {"over_balance": ("at_most",)}

    by: Literal["opening", Kind] = "opening"
    at_most: int = Field(ge=1)
