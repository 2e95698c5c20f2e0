"""The rows of one shard as columns, and what several checks use of them, computed once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tuner.curation.check import Unit
from tuner.curation.columns import messages, text
from tuner.curation.columns.messages import Messages
from tuner.curation.columns.words import I64, Words, split

Flags = NDArray[np.bool_]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Batch:
    """Rows as every check sees them, after sanitizing and redacting.

    Attributes:
        instruction: The user's turns of each row, separated by blank lines, shape (rows,); never null.
        response: The assistant's turns, likewise.
        instruction_finish: Why the generation of the instruction ended; `length` means cut off.
        response_finish: The same for the response.
        conversations: The messages that the texts are joined of; None if every row is one exchange and no more.
        wanted: The languages that the recipe wants, as ISO 639 codes; None if it takes all.
        thoughts: What a reasoning model thought before the last answer of each row; None if the rows have none.
    """

    instruction: pl.Series
    response: pl.Series
    instruction_finish: pl.Series
    response_finish: pl.Series
    conversations: Messages | None = None
    wanted: tuple[str, ...] | None = ("en",)
    thoughts: pl.Series | None = None

    _cache: dict[Callable[["Batch"], Any], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        conversations: Messages,
        instruction_finish: pl.Series,
        response_finish: pl.Series,
        wanted: tuple[str, ...] | None = ("en",),
        thoughts: pl.Series | None = None,
    ) -> Self:
        """The rows of these messages."""
        texts = conversations.joined("user"), conversations.joined("assistant")
        return cls(*texts, instruction_finish, response_finish, conversations, wanted, thoughts)

    def __len__(self) -> int:
        return len(self.instruction)

    def cached(self, function: Callable[["Batch"], Result]) -> Result:
        """The result of a function of the batch, computed at the first call and kept."""
        if function not in self._cache:
            self._cache[function] = function(self)
        return self._cache[function]

    @cached_property
    def messages(self) -> Messages:
        """All messages, of every role."""
        if self.conversations is None:
            return Messages.of_pairs(self.instruction, self.response)
        return self.conversations

    @cached_property
    def exchanges(self) -> tuple["Batch", I64]:
        """The exchanges as rows, and the row of each: what the user said since the last answer, and the answer.

        An answer that follows no new turn of the user, such as one after the result of a tool, has that of the answer
        before. If every row is one exchange, these are the rows themselves.
        """
        said = self.conversations
        if said is None or said.singles.all():
            return self, np.arange(len(self))
        asks, answers = np.flatnonzero(said.by("user")), np.flatnonzero(said.by("assistant"))
        rows = said.rows[answers]
        until = np.searchsorted(asks, answers)
        is_first = np.diff(rows, prepend=-1) != 0
        since = np.where(is_first, np.searchsorted(asks, said.offsets[rows]), np.roll(until, 1))
        asked = until > since
        latest = np.maximum.accumulate(np.where(asked | is_first, np.arange(rows.size), -1))
        since, until = since[latest], until[latest]
        new = np.flatnonzero(asked)
        texts = said.texts.gather(asks[messages.ranges(since[new], until[new])])
        each = messages.joined(texts, np.append(0, np.cumsum(until[new] - since[new])))
        # An answer before any turn of the user has none.
        place = np.where(until > since, np.cumsum(asked) - 1, -1)
        instruction = each.gather(pl.Series(place).replace(-1, None)).fill_null("")
        finishes = self.instruction_finish.gather(rows), self.response_finish.gather(rows)
        return Batch(instruction, said.texts.gather(answers), *finishes, wanted=self.wanted), rows

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


def by_unit(batch: Batch, check: Callable[[Batch], Findings], units: Mapping[str, Unit]) -> Findings:
    """Applies a check to the exchanges of each row, and to whole rows where a reason is one of the whole.

    Args:
        batch: The rows.
        check: From rows of one exchange to findings.
        units: What each reason judges; the whole row if it is not named.

    Returns:
        For a reason that judges exchanges, the rows of which any exchange has it; for one that judges the opening,
        those whose first has it. The scores of whole rows; if no reason judges these, the largest of a row's exchanges.
    """
    exchanges, rows = batch.exchanges
    each = check(exchanges)
    if exchanges is batch:
        return each
    whole = check(batch) if any(units.get(name, "row") == "row" for name in each.reasons) else None
    reasons: dict[str, Flags] = {}
    for name, flags in each.reasons.items():
        unit = units.get(name, "row")
        if unit == "opening":
            flags = flags & (np.diff(rows, prepend=-1) != 0)
        if whole is not None and unit == "row":
            reasons[name] = whole.reasons[name]
        else:
            reasons[name] = np.bincount(rows[flags], minlength=len(batch)) > 0
    if whole is not None:
        return Findings(reasons, whole.scores)
    largest = pl.DataFrame({"row": rows, **each.scores}).group_by("row").max()
    scores = pl.DataFrame({"row": np.arange(len(batch))}).join(largest, on="row", how="left", maintain_order="left")
    return Findings(reasons, scores.drop("row").to_dict())
