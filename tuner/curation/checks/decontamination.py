"""The check `decontamination`: a row holds nothing of what benchmarks ask."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from tuner.curation.check import Check, Example

if TYPE_CHECKING:
    from tuner.curation.columns.batch import Batch, Findings, Flags

_ASKED = {"against": ("package:tuner/curation/checks/example_prompts.txt",)}
_ANSWER = "She needs eight boxes: seven are full, and the last one holds the four jars that remain."


class Decontamination(Check):
    """Rows that contain what benchmarks ask.

    Attributes:
        against: Files with prompts: lines (.txt), or records with a field `prompt`, `question`, `instruction` or `text`
            (.jsonl, .parquet); or `package:NAME/path`, such a file of an installed package.
        similarity: A row whose instruction's Jaccard similarity with a prompt reaches this is dropped.
    """

    version: ClassVar = 2
    does: ClassVar = "a 13-gram shared with a prompt, 70 % of a prompt's 8-grams, or a near duplicate of one"
    reasons: ClassVar = {
        "benchmark_overlap": "a long run of words is shared with a benchmark's prompt",
        "near_benchmark": "the instruction is a near duplicate of a benchmark's prompt",
    }
    loosened: ClassVar = {"benchmark_overlap": ("against",), "near_benchmark": ("similarity",)}
    columns: ClassVar = ("benchmark", "benchmark_overlap")
    examples: ClassVar = (
        Example("How many boxes are needed for eighty-eight jars of jam?", _ANSWER, settings=_ASKED),
        Example("Ada packs jars of jam into boxes. What else could she sell at the fair?", _ANSWER, settings=_ASKED),
        Example(
            "Ada packs eighty-eight jars of plum jam into boxes that hold twelve jars each. How many boxes does she "
            "need?",
            _ANSWER,
        ),
        Example(
            "Ada packs eighty-eight jars of plum jam into boxes that hold twelve jars each. How many boxes does she "
            "need?",
            _ANSWER,
            ("benchmark_overlap", "near_benchmark"),
            _ASKED,
        ),
        Example(
            "My niece sent me this: Ada packs eighty-eight jars of plum jam into boxes that hold twelve jars each. "
            "What is it about, and is it a good riddle for a child of nine years who likes numbers?",
            _ANSWER,
            ("benchmark_overlap",),
            _ASKED,
        ),
        Example(
            "Ada packs ninety jars of plum jam into boxes that hold twelve jars each. How many boxes does she need?",
            _ANSWER,
            ("benchmark_overlap", "near_benchmark"),
            _ASKED,
        ),
    )

    against: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    similarity: float = Field(default=0.5, ge=0.3, le=1)

    def identity(self) -> dict[str, Any]:
        """See `Check.identity`, with the content of the files instead of their paths."""
        from tuner.curation.detectors.prompts import digests

        return {**super().identity(), "against": digests(self.against)}

    def off(self) -> dict[str, str]:
        """See `Check.off`."""
        return {} if self.against else dict.fromkeys(self.reasons, "decontamination.against is empty")

    def find(self, batch: "Batch", flags: "Mapping[str, Flags]") -> "Findings":
        """See `Check.find`."""
        from tuner.curation.columns.batch import Findings
        from tuner.curation.detectors import decontamination

        if not self.against:
            return Findings()
        return decontamination.check(batch, decontamination.load(self))
