"""Prompt tuning: learned embeddings prepended to the frozen student's input."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tuner.training.methods.base import Method

if TYPE_CHECKING:
    from peft import PromptTuningConfig
    from torch import nn


class PromptTuning(Method):
    """Prompt tuning (Lester et al. 2021, arXiv 2104.08691).

    Attributes:
        virtual_tokens: Number of learned embeddings.
        init: Their initial values: `random`, or the embeddings of `init_text`.
        init_text: The text whose embeddings they are initialized with.
    """

    merges: ClassVar[bool] = False
    # PEFT drops the position ids of prompt-learning methods, so packed documents would attend to each other.
    packs: ClassVar[bool] = False

    method: Literal["prompt_tuning"]
    learning_rate: float = Field(default=3e-2, gt=0, lt=100)
    virtual_tokens: int = Field(default=20, ge=1, le=4096)
    init: Literal["random", "text"] = "text"
    init_text: str = "Answer the user's instruction helpfully, correctly and completely."

    @property
    def size(self) -> str:
        """Such as `20 tokens`."""
        return f"{self.virtual_tokens} tokens"

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "PromptTuningConfig":
        """See `Method.peft_config`."""
        from peft import PromptTuningConfig, PromptTuningInit

        from_text = self.init == "text"
        return PromptTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self.virtual_tokens,
            prompt_tuning_init=PromptTuningInit.TEXT if from_text else PromptTuningInit.RANDOM,
            prompt_tuning_init_text=self.init_text if from_text else None,
            tokenizer_name_or_path=tokenizer_path if from_text else None,
        )
