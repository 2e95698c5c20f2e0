"""The recipe's section on evaluation."""

from typing import Literal

from pydantic import Field

from tuner.section import Section


class Evaluation(Section):
    """How base and adapters are compared.

    Attributes:
        samples: Held-out instructions that every subject answers, for comparison side by side.
        sample_tokens: The most tokens of such an answer, and about the tokens of all timed generations of a subject.
        precision: `float32`, or `mixed`: weights in bfloat16, which halves the memory, and arithmetic in float32.
            Arithmetic in bfloat16 would round away most of what an adapter changes.
    """

    samples: int = Field(default=4, ge=1, le=256)
    sample_tokens: int = Field(default=64, ge=1, le=4096)
    precision: Literal["float32", "mixed"] = "float32"
