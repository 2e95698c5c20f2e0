"""P-tuning: a learned prompt that a small network makes of its embeddings while it is trained."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tuner.training.methods.prompt import PromptMethod

if TYPE_CHECKING:
    from peft import PromptEncoderConfig
    from torch import nn


class PTuning(PromptMethod):
    """P-tuning (Liu et al. 2021, arXiv 2103.10385), with a two-layer network in place of the paper's LSTM.

    Attributes:
        hidden_size: The width of the network; None for that of the student.
    """

    continues: ClassVar[bool] = False  # the network that makes the prompt is not saved

    method: Literal["p_tuning"]
    learning_rate: float = Field(default=3e-3, gt=0, lt=100)
    hidden_size: int | None = Field(default=None, ge=1, le=65536)

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "PromptEncoderConfig":
        """See `Method.peft_config`."""
        from peft import PromptEncoderConfig

        self.check_context(model)
        own: Any = model
        return PromptEncoderConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self.virtual_tokens,
            encoder_reparameterization_type="MLP",
            encoder_hidden_size=self.hidden_size or own.get_input_embeddings().weight.shape[1],
        )
