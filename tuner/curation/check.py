"""A check of curation as a value: its section of the recipe, its reasons, what it measures, and examples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tuner.section import Section

if TYPE_CHECKING:
    from tuner.curation.columns.batch import Batch, Findings, Flags


@dataclass(frozen=True)
class Score:
    """A column that a check adds to the rows, as the report draws it.

    Attributes:
        column: Its name.
        title: What it shows.
        axis: What its numbers are.
        scale: How it is drawn: shares that begin at 0, shares that end at 1, counts on a logarithmic axis, or measured
            divided by allowed.
        limits: The section's limits, by how each is written beside its line.
        took: The reasons that the limits give, by how each limit is called in a sentence.
        wanted: What is said of the settings before.
        below: What is said of rows below the first limit, if they are not rejected.
        labels: A column of texts whose most frequent values are told beside this one.
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
    """A row beside a check's line.

    Attributes:
        instruction: The user's text.
        response: The assistant's text.
        reasons: Those of the check's reasons that it has; none if it passes.
        settings: Settings of the section, where the defaults would not look for it.
        cut: Which text generation cut off at its limit of tokens.
    """

    instruction: str
    response: str
    reasons: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    cut: Literal["", "instruction", "response"] = ""


class Check(Section):
    """A check: the fields are its settings, all else is said by the class.

    Attributes:
        version: Raised whenever its code would find something else under the same settings.
        does: What it looks for, in a line.
        reasons: What it finds in a row alone: by the name of each reason the sentence that a person reads.
        choices: Likewise, what it decides by comparing rows.
        scores: The columns that it adds and the report draws.
        columns: The other columns that it adds and a person is shown.
        examples: Rows on both sides of its line: its specification and its documentation.
    """

    version: ClassVar[int]
    does: ClassVar[str]
    reasons: ClassVar[Mapping[str, str]] = {}
    choices: ClassVar[Mapping[str, str]] = {}
    scores: ClassVar[tuple[Score, ...]] = ()
    columns: ClassVar[tuple[str, ...]] = ()
    examples: ClassVar[tuple[Example, ...]] = ()

    def identity(self) -> dict[str, Any]:
        """The settings and the version: what decides what it finds."""
        return {**super().identity(), "version": self.version}

    def off(self) -> dict[str, str]:
        """The reasons that no row can have under these settings, each with the setting that says so."""
        return {}

    def marked(self) -> frozenset[str]:
        """The reasons that are recorded and reject nothing under these settings."""
        return frozenset()

    def find(self, batch: "Batch", found: "Mapping[str, Flags]") -> "Findings":
        """Looks at each row alone. What is heavy is imported here.

        Args:
            batch: The rows.
            found: What the checks before it found: by reason, which rows it applies to, shape (rows,).

        Returns:
            All of `reasons` that it looks for, and its scores.

        Raises:
            InputError: If the settings ask for what there is not.
        """
        raise NotImplementedError(f"{type(self).__name__} has reasons and looks for none")
