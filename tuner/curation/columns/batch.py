"""The rows of one shard as columns, and what several checks use of them, computed once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.curation.columns import text
from tuner.curation.columns.words import Words, split

Flags = NDArray[np.bool_]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Batch:
    """Rows as every check sees them, after sanitizing and redacting.

    Attributes:
        instruction: The user's texts, shape (rows,); never null.
        response: The assistant's texts, shape (rows,); never null.
        instruction_finish: Why the generation of the instruction ended; `length` means cut off.
        response_finish: The same for the response.
    """

    instruction: pl.Series
    response: pl.Series
    instruction_finish: pl.Series
    response_finish: pl.Series

    _cache: dict[Callable[["Batch"], Any], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.instruction)

    def cached(self, function: Callable[["Batch"], Result]) -> Result:
        """The result of a function of the batch, computed at the first call and kept."""
        if function not in self._cache:
            self._cache[function] = function(self)
        return self._cache[function]

    @cached_property
    def normal_instruction(self) -> pl.Series:
        """Instructions as `text.normalise` makes them."""
        return text.normalised(self.instruction)

    @cached_property
    def normal_response(self) -> pl.Series:
        """Responses as `text.normalise` makes them."""
        return text.normalised(self.response)

    @cached_property
    def instruction_words(self) -> Words:
        """Words of the normal instructions."""
        return split(self.normal_instruction)

    @cached_property
    def response_words(self) -> Words:
        """Words of the normal responses."""
        return split(self.normal_response)

    @cached_property
    def whole(self) -> Flags:
        """Which rows have both texts, shape (rows,); only these can be scored."""
        return (self.instruction_words.counts > 0) & (self.response_words.counts > 0)


@dataclass(frozen=True)
class Findings:
    """The result of a check on a batch.

    Attributes:
        reasons: By reason, the rows that it applies to, shape (rows,).
        scores: Columns that are added to the rows, by name, shape (rows,).
    """

    reasons: Mapping[str, Flags] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)


def merge(*findings: Findings) -> Findings:
    """The findings of several detectors or checks as one."""
    return Findings(
        {name: flags for each in findings for name, flags in each.reasons.items()},
        {name: column for each in findings for name, column in each.scores.items()},
    )
