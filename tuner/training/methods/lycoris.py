"""The base class of LoHa and LoKr: updates that are a product, other than that of matrices, of low-rank factors."""

from typing import ClassVar, Literal

from pydantic import Field

from tuner.training.methods.linear import LinearMethod


class LycorisMethod(LinearMethod):
    """A method of the LyCORIS family (Yeh et al. 2023, arXiv 2309.14859).

    Attributes:
        r: The rank of the factors.
        alpha: The scale's numerator: updates are multiplied by alpha / r.
    """

    merges: ClassVar[bool] = True
    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]] = "converted"
    forbids: ClassVar = {"quantization": "PEFT has no layer of it for weights in 4 bit"}

    r: int = Field(default=8, ge=1, le=1024)
    alpha: int = Field(default=16, ge=1)

    @property
    def size(self) -> str:
        """Such as `r8`."""
        return f"r{self.r}"
