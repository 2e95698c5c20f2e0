"""The recipe's section on evaluation."""

from typing import Literal

from pydantic import Field

from tuner.section import Section


class Evaluation(Section):
    """How base and adapters are compared.

    Attributes:
        samples: Held-out instructions that every subject answers, side by side.
        sample_tokens: Tokens of each such answer at most, and about those of all timed generations of a subject.
        precision: `float32`, or `mixed`: the weights in bfloat16, which halves the memory, all arithmetic in float32.
            In bfloat16 alone the rounding of every layer's output hides most of what an adapter adds to it.
    """

    samples: int = Field(default=4, ge=1, le=256)
    sample_tokens: int = Field(default=64, ge=1, le=4096)
    precision: Literal["float32", "mixed"] = "float32"
