"""OFT: rotations of the student's weights."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tuner.training.methods.linear import LinearMethod

if TYPE_CHECKING:
    from peft import OFTConfig
    from torch import nn


class Oft(LinearMethod):
    """Orthogonal fine-tuning (Qiu et al. 2023, arXiv 2306.07280), in the form that rotates a layer's input.

    Attributes:
        block_size: The size of the rotated blocks, which must divide the width of each adapted layer's input.
    """

    merges: ClassVar[bool] = True
    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]] = "not at all"

    method: Literal["oft"]
    learning_rate: float = Field(default=1e-3, gt=0, lt=100)
    block_size: int = Field(default=32, ge=2, le=1024)

    @property
    def size(self) -> str:
        """Such as `blocks of 32`."""
        return f"blocks of {self.block_size}"

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "OFTConfig":
        """See `Method.peft_config`."""
        from peft import OFTConfig

        # The Neumann series (five terms) in place of a matrix inverse: Qiu et al. 2025, arXiv 2506.19847.
        return OFTConfig(
            task_type="CAUSAL_LM",
            r=0,
            oft_block_size=self.block_size,
            use_cayley_neumann=True,
            bias="none",
            **self.modules(model),
        )
