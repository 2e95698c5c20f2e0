"""The base class of training methods: the section in the recipe and the PEFT configuration."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from tuner.errors import InputError
from tuner.section import Section

if TYPE_CHECKING:
    from peft import PeftConfig
    from torch import nn


class Method(Section):
    """The settings that all methods share, and the interface that each implements.

    A subclass has a field `method` of type `Literal["its name"]`, by which a recipe chooses it.

    Attributes:
        merges: Whether the adapter can be merged into the student's weights.
        packs: Whether the method supports `packing`.
        epochs: Passes over the training rows.
        batch_size: Rows in a forward pass; an optimizer step uses this times `gradient_accumulation`.
        gradient_accumulation: Forward passes in an optimizer step.
        learning_rate: The peak of the schedule.
        warmup: The fraction of all steps during which the learning rate rises.
        scheduler: The shape of the learning rate after the warm-up.
        weight_decay: AdamW's weight decay.
        max_length: Longer examples are truncated to this many tokens.
        packing: Puts several examples into one sequence.
        quantization: `nf4` loads the student's weights in 4 bit (QLoRA).
    """

    merges: ClassVar[bool]
    packs: ClassVar[bool]

    epochs: float = Field(default=3, gt=0, le=1000)
    batch_size: int = Field(default=8, ge=1)
    gradient_accumulation: int = Field(default=1, ge=1)
    learning_rate: float = Field(gt=0, lt=100)
    warmup: float = Field(default=0.03, ge=0, lt=1)
    scheduler: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = Field(default=0.0, ge=0)
    max_length: int = Field(default=2048, ge=8)
    packing: bool = False
    quantization: Literal["nf4"] | None = None

    @classmethod
    def name(cls) -> str:
        """The method's name in a recipe, such as `lora`."""
        return str(get_args(cls.model_fields["method"].annotation)[0])

    @property
    @abstractmethod
    def size(self) -> str:
        """The size of the adapter in a few characters, such as `r8`, for the names of flow runs."""

    @abstractmethod
    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "PeftConfig":
        """The PEFT configuration of the adapter.

        Args:
            model: The student; the names of modules to adapt are checked against it.
            tokenizer_path: The folder of the student's tokenizer.

        Raises:
            InputError: If a target names no module of the student.
        """

    @model_validator(mode="after")
    def _check_packing(self) -> Self:
        if self.packing and not self.packs:
            raise ValueError(f"{self.name()} cannot be trained with packing: set packing to false")
        return self


def check_targets(targets: Iterable[str], modules: Iterable[str]) -> None:
    """Rejects targets that match no module. PEFT itself raises an error only if none of them matches.

    Args:
        targets: Names of modules, from the recipe.
        modules: Dotted names of the student's modules.

    Raises:
        InputError: If a target matches no module, or is the language model's head.
    """
    full = {name for name in modules if name}
    last = {name.rsplit(".", 1)[-1] for name in full}
    for target in targets:
        if target == "lm_head":
            raise InputError("training: targets: lm_head cannot be adapted, since the loss multiplies by it directly")
        if target not in last and not any(name == target or name.endswith(f".{target}") for name in full):
            projections = sorted(name for name in last if name.endswith("proj") or name.startswith(("fc", "dense")))
            hint = f"; it has {', '.join(projections)}" if projections else ""
            raise InputError(f"training: targets: the student has no module called {target!r}{hint}")
