"""A check of curation: its section of the recipe, its reasons, its scores and its examples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tuner.section import Section

if TYPE_CHECKING:
    from tuner.curation.columns.batch import Batch, Findings, Flags

Role = Literal["system", "user", "assistant", "tool"]

Unit = Literal["row", "exchange", "opening", "message"]
"""What a reason judges: the turns of a row as one text for each role, each exchange, the first one, or each message."""


@dataclass(frozen=True)
class Score:
    """A column that a check adds to the rows, and how the report plots it.

    Attributes:
        column: Its name.
        title: What it shows.
        axis: What its numbers are.
        scale: The axis: shares from 0, shares up to 1, counts on a logarithmic axis, or the ratio of measured to
            allowed.
        limits: The limits of the section, by their labels in the plot.
        took: The reason of each limit, by the limit's name in a sentence.
        wanted: A sentence on the settings, shown first.
        below: A description of rows below the first limit, if they are not rejected.
        labels: A text column whose most frequent values are listed too.
    """

    column: str
    title: str
    axis: str
    scale: Literal["from 0", "to 1", "count", "ratio"]
    limits: Callable[[Any], Mapping[str, float]]
    took: Mapping[str, str]
    wanted: Callable[[Any], str] = lambda section: ""
    below: str = ""
    labels: str = ""


@dataclass(frozen=True)
class Example:
    """A row close to a limit of a check.

    Attributes:
        instruction: The user's text.
        response: The assistant's text.
        reasons: The reasons that the check gives; none if the row passes.
        settings: Settings of the section, if not the defaults.
        cut: Which text was cut off at the token limit of generation.
        thoughts: What the model thought before its response.
    """

    instruction: str
    response: str
    reasons: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    cut: Literal["", "instruction", "response"] = ""
    thoughts: str = ""


class Check(Section):
    """A check: its fields are its settings, its class attributes describe it.

    Attributes:
        version: Raised whenever its code gives other results under the same settings.
        does: What it looks for, in a line.
        reasons: The reasons it finds in a single row, each with the sentence that users read.
        choices: The reasons that follow from comparing rows, likewise.
        roles: Whose messages it reads.
        units: What each reason judges by itself; those that are not named judge the row as a whole.
        loosened: By reason, the settings of the section that let more rows pass; `curation.ignore` does for the others.
        scores: The columns that it adds and the report plots.
        columns: The other columns that it adds and the report shows.
        examples: Rows on both sides of its limits, which are its tests and its documentation.
    """

    version: ClassVar[int]
    does: ClassVar[str]
    reasons: ClassVar[Mapping[str, str]] = {}
    choices: ClassVar[Mapping[str, str]] = {}
    roles: ClassVar[tuple[Role, ...]] = ("user", "assistant")
    units: ClassVar[Mapping[str, Unit]] = {}
    loosened: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    scores: ClassVar[tuple[Score, ...]] = ()
    columns: ClassVar[tuple[str, ...]] = ()
    examples: ClassVar[tuple[Example, ...]] = ()

    def identity(self) -> dict[str, Any]:
        """The settings and the version, which decide its results."""
        return {**super().identity(), "version": self.version}

    def off(self) -> dict[str, str]:
        """The reasons that these settings turn off, each with the setting that does so."""
        return {}

    def marked(self) -> frozenset[str]:
        """The reasons that are only recorded under these settings, without rejecting rows."""
        return frozenset()

    def find(self, batch: "Batch", flags: "Mapping[str, Flags]") -> "Findings":
        """Checks each row by itself. Heavy modules are imported here.

        Args:
            batch: The rows.
            flags: By reason of the earlier checks, the rows that it applies to, shape (rows,).

        Returns:
            The flags of all `reasons` that are not off, and the scores.

        Raises:
            InputError: If the settings name something that does not exist.
        """
        raise NotImplementedError(f"{type(self).__name__} has reasons but no method `find`")
