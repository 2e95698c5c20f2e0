"""PiSSA: LoRA that begins as the principal part of every weight, while the rest is frozen."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from tuner.errors import InputError
from tuner.training.methods.lowrank import LowRankMethod

if TYPE_CHECKING:
    from torch import nn

_INITIAL = "initial"
"""The attribute of an adapted model that holds the adapter's weights before the training."""


class Pissa(LowRankMethod):
    """Principal singular values and vectors adaptation (Meng et al. 2024, arXiv 2404.02948).

    It is saved as a plain LoRA of twice the rank on the unchanged student: what was learned minus what it began as.
    """

    continues: ClassVar[bool] = False  # what is saved is relative to the student, what is trained to its remainder
    forbids: ClassVar = {"quantization": "it decomposes the student's weights, which 4 bit would round"}

    method: Literal["pissa"]
    learning_rate: float = Field(default=3e-4, gt=0, lt=100)

    def variant(self) -> dict[str, Any]:
        """See `LowRankMethod.variant`."""
        # 16 iterations of the randomized decomposition, with which the paper finds no loss (table 5).
        return {"init_lora_weights": "pissa_niter_16"}

    def adapted(self, model: "nn.Module", tokenizer_path: str) -> "nn.Module":
        """See `Method.adapted`."""
        from peft import LoraConfig, get_peft_model
        from peft.tuners.lora.layer import ParamWrapper

        config = self.peft_config(model, tokenizer_path)
        if next(model.parameters()).is_meta:
            plain = LoraConfig(**{**config.to_dict(), "init_lora_weights": True})
            adapted = get_peft_model(model, plain)  # pyright: ignore[reportArgumentType]
            if any(isinstance(module, ParamWrapper) for module in adapted.modules()):
                raise InputError("pissa cannot decompose the weights of the student's experts")
            return adapted
        adapted = get_peft_model(model, config)  # pyright: ignore[reportArgumentType]
        initial = {name: weight.detach().clone() for name, weight in adapted.named_parameters() if weight.requires_grad}
        setattr(adapted, _INITIAL, initial)
        return adapted

    def save(self, model: Any, folder: Path) -> None:
        """See `Method.save`."""
        import torch
        from peft import get_peft_model_state_dict

        initial = getattr(model, _INITIAL)
        learned = {name: weight for name, weight in model.named_parameters() if name in initial}
        # B A - B0 A0 is one product of matrices of twice the rank: [B, B0] times [A; -A0].
        for name, weight in learned.items():
            first = "lora_A" in name
            joined = torch.cat([weight.data, -initial[name] if first else initial[name]], dim=0 if first else 1)
            weight.data = joined
        config = model.peft_config[model.active_adapter]
        # The scale alpha / r stays as it was.
        config.r, config.lora_alpha, config.init_lora_weights = 2 * config.r, 2 * config.lora_alpha, True
        state = get_peft_model_state_dict(model)
        model.save_pretrained(str(folder), state_dict=state, safe_serialization=True)
