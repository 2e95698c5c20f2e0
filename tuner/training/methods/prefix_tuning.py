"""Prefix tuning: learned keys and values before the input of every layer."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tuner.errors import InputError
from tuner.training.methods.prompt import TEXT, PromptMethod

if TYPE_CHECKING:
    from peft import PrefixTuningConfig
    from torch import nn

_ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}


class PrefixTuning(PromptMethod):
    """Prefix tuning (Li and Liang 2021, arXiv 2101.00190), begun as the keys and values of a text.

    A random prefix puts the student off so far that short trainings do not recover (section 7.3 of the paper).

    Attributes:
        init_text: The text, which is repeated if it has fewer tokens than the prefix.
    """

    recomputes: ClassVar[bool] = False  # the keys and values of the prefix are a cache, which it cannot use

    method: Literal["prefix_tuning"]
    learning_rate: float = Field(default=1e-2, gt=0, lt=100)
    init_text: str = Field(default=TEXT, min_length=1)

    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "PrefixTuningConfig":
        """See `Method.peft_config`."""
        from peft import PrefixTuningConfig

        self.check_context(model)
        config: Any = getattr(model, "config", None)
        others = set(getattr(config, "layer_types", None) or ()) - _ATTENTION
        if others or getattr(model, "_is_stateful", False):
            raise InputError("prefix_tuning needs keys and values in every layer, which the student has not")
        if getattr(config, "multi_query", False):
            raise InputError("PEFT's prefix_tuning has no keys and values that all heads share (multi_query)")
        return PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=self.virtual_tokens)

    def adapted(self, model: "nn.Module", tokenizer_path: str) -> "nn.Module":
        """See `Method.adapted`."""
        import torch
        from peft import initialize_kv_prefix_from_past_key_values
        from transformers import AutoTokenizer

        adapted = super().adapted(model, tokenizer_path)
        if next(model.parameters()).is_meta:
            return adapted
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_path)
        text = list(tokenizer(self.init_text)["input_ids"])
        ids = (text * (self.virtual_tokens // len(text) + 1))[: self.virtual_tokens]
        with torch.no_grad():
            cache = model(input_ids=torch.tensor([ids], device=next(model.parameters()).device), use_cache=True)
        initialize_kv_prefix_from_past_key_values(adapted, past_key_values=cache.past_key_values)
        return adapted
