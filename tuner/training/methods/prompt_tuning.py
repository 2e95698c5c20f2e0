"""Prompt tuning: learned embeddings prepended to the frozen student's input."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuner.training.methods.prompt import TEXT, PromptMethod

if TYPE_CHECKING:
    from peft import PromptTuningConfig
    from torch import nn


class PromptTuning(PromptMethod):
    """Prompt tuning (Lester et al. 2021, arXiv 2104.08691).

    Attributes:
        init: Their initial values: `random`, the embeddings of random tokens (`sample_vocab`), or those of `init_text`.
        init_text: The text whose embeddings they are initialized with.
    """

    method: Literal["prompt_tuning"]
    learning_rate: float = Field(default=3e-2, gt=0, lt=100)
    init: Literal["random", "sample_vocab", "text"] = "text"
    init_text: str = Field(default=TEXT, min_length=1)

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "PromptTuningConfig":
        """See `Method.peft_config`."""
        from peft import PromptTuningConfig, PromptTuningInit

        self.check_context(model)
        from_text = self.init == "text"
        return PromptTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self.virtual_tokens,
            prompt_tuning_init=PromptTuningInit(self.init.upper()),
            prompt_tuning_init_text=self.init_text if from_text else None,
            tokenizer_name_or_path=tokenizer_path if from_text else None,
        )
