"""Methods as data: from an adapter's settings in the recipe to the PEFT configuration of it."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tuner.errors import InputError
from tuner.recipe import Lora, PromptTuning

if TYPE_CHECKING:
    from peft import PeftConfig
    from torch import nn

Settings = Lora | PromptTuning


def peft_config(settings: Settings, model: "nn.Module", tokenizer_path: str) -> "PeftConfig":
    """The PEFT configuration of an adapter.

    Args:
        settings: From the recipe.
        model: The student that will be adapted; names of targets are checked against its modules.
        tokenizer_path: Where the student's tokenizer lies, for an initialisation from words.

    Raises:
        InputError: If a target names no module of the student.
    """
    return _CONFIGS[settings.method](settings, model, tokenizer_path)


def _lora(settings: Lora, model: "nn.Module", tokenizer_path: str) -> "PeftConfig":
    from peft import LoraConfig

    if settings.targets != "all-linear":
        check_targets(settings.targets, [name for name, _ in model.named_modules()])
    alpha: Any = settings.alpha  # PEFT types it as int, but only divides it by r
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.r,
        lora_alpha=alpha,
        lora_dropout=settings.dropout,
        target_modules=settings.targets if isinstance(settings.targets, str) else list(settings.targets),
        bias="none",
    )


def _prompt_tuning(settings: PromptTuning, model: "nn.Module", tokenizer_path: str) -> "PeftConfig":
    from peft import PromptTuningConfig, PromptTuningInit

    words = settings.init == "text"
    return PromptTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=settings.virtual_tokens,
        prompt_tuning_init=PromptTuningInit.TEXT if words else PromptTuningInit.RANDOM,
        prompt_tuning_init_text=settings.init_text if words else None,
        tokenizer_name_or_path=tokenizer_path if words else None,
    )


_CONFIGS: dict[str, Callable[[Any, "nn.Module", str], "PeftConfig"]] = {
    "lora": _lora,
    "prompt_tuning": _prompt_tuning,
}


def check_targets(targets: Iterable[str], modules: Iterable[str]) -> None:
    """Refuses a LoRA target that adapts nothing; PEFT itself complains only if none of them matches.

    Args:
        targets: Names from the recipe.
        modules: Dotted names of the model's modules.

    Raises:
        InputError: If a target is no module's last name, or is the language model's head.
    """
    known = {name.rsplit(".", 1)[-1] for name in modules if name}
    full = {name for name in modules if name}
    for target in targets:
        if target == "lm_head":
            raise InputError("training: targets: lm_head cannot be adapted, since the loss multiplies by it directly")
        if target not in known and not any(name == target or name.endswith(f".{target}") for name in full):
            projections = sorted(name for name in known if name.endswith("proj") or name.startswith(("fc", "dense")))
            hint = f"; it has {', '.join(projections)}" if projections else ""
            raise InputError(f"training: targets: the student has no module called {target!r}{hint}")
