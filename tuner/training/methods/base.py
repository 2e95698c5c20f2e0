"""The base class of training methods: the section in the recipe, and how a student is adapted."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast, get_args

from pydantic import Field, model_validator

from tuner.errors import InputError
from tuner.section import Section, added_field
from tuner.training.objectives import RATE, AnyObjective, Sft
from tuner.training.sweeps.settings import Sweep

if TYPE_CHECKING:
    from peft import PeftConfig
    from torch import nn

MOST_SEEDS = 20
"""Trainings of one adapter at most; each is a contestant in every comparison."""


class Method(Section):
    """The settings that all methods share, and the interface that each implements.

    A subclass has a field `method` of type `Literal["its name"]`, by which a recipe chooses it.

    Attributes:
        merges: Whether the adapter can be merged into the student's weights.
        serves_as_lora: How a server that knows only LoRA serves it: `as it is`, `converted` (to the nearest LoRA of a
            rank, see `tuner.models.conversion`), or `not at all`.
        forbids: Settings that the method cannot be trained with, each with the reason.
        recomputes: Whether it can be trained with gradient checkpointing.
        continues: Whether a training can begin with what a finished one saved.
        is_prompt: Whether it is a prompt before the student's input, rather than a change of its weights.
        objective: What it is trained for: `sft`, or to prefer one answer to another; see `tuner.training.objectives`.
        start: The adapter of the recipe that it goes on from, trained by the same method; None to begin anew.
        epochs: Passes over the training rows.
        batch_size: Rows in a forward pass; an optimizer step uses this times `gradient_accumulation`.
        gradient_accumulation: Forward passes in an optimizer step.
        learning_rate: The peak of the schedule. By default a preference objective has a twentieth of the method's.
        warmup: The fraction of all steps during which the learning rate rises.
        scheduler: The shape of the learning rate after the warm-up. `cosine_floor` ends at a tenth of the peak;
            `stable_decay` keeps the peak until the last fifth of all steps.
        optimizer: `adamw`; `adafactor`, which keeps one moment, factored (Shazeer and Stern 2018, arXiv 1804.04235);
            `adamw_8bit`, whose moments are quantized (Dettmers et al. 2021, arXiv 2110.02861), for GPUs.
        weight_decay: The optimizer's weight decay.
        max_grad_norm: Gradients of a larger norm are scaled down to it; 0 for no limit.
        early_stopping: Ends the training when so many measurements in a row (ten are made in a whole one) show no lower
            loss on the tuning rows, and takes the weights of the lowest; None to train to the end.
        neftune: The strength of the noise on embeddings (Jain et al. 2023, arXiv 2310.05914, where 5 was best); 0 for
            none.
        max_length: Longer examples are truncated to this many tokens.
        packing: Puts several examples into one sequence, which do not attend to each other.
        quantization: `nf4` loads the student's weights in 4 bit (QLoRA).
        sweep: Trains it with several settings, and takes the best by the tuning rows; None trains it as it is.
        seeds: Trainings that differ only in their seed, to tell a method from a lucky training; with a sweep, of the
            best settings.
    """

    merges: ClassVar[bool]
    serves_as_lora: ClassVar[Literal["as it is", "converted", "not at all"]]
    forbids: ClassVar[Mapping[str, str]] = {}
    recomputes: ClassVar[bool] = True
    is_prompt: ClassVar[bool] = False
    continues: ClassVar[bool] = True

    objective: AnyObjective = added_field(Sft())
    start: str | None = added_field(None)
    epochs: float = Field(default=3, gt=0, le=1000)
    batch_size: int = Field(default=8, ge=1)
    gradient_accumulation: int = Field(default=1, ge=1)
    learning_rate: float = Field(gt=0, lt=100)
    warmup: float = Field(default=0.03, ge=0, lt=1)
    scheduler: Literal["linear", "cosine", "cosine_floor", "stable_decay", "constant"] = "linear"
    optimizer: Literal["adamw", "adafactor", "adamw_8bit"] = "adamw"
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, ge=0)
    early_stopping: int | None = Field(default=None, ge=1, le=10)
    neftune: float = Field(default=0.0, ge=0)
    max_length: int = Field(default=2048, ge=8)
    packing: bool = False
    quantization: Literal["nf4"] | None = None
    sweep: Sweep | None = added_field(None)
    seeds: int = added_field(1, ge=1, le=MOST_SEEDS)

    @classmethod
    def name(cls) -> str:
        """The method's name in a recipe, such as `lora`."""
        return str(get_args(cls.model_fields["method"].annotation)[0])

    @property
    def needs_bitsandbytes(self) -> bool:
        """Whether it is trained with bitsandbytes, which otherwise is not imported."""
        return self.quantization is not None or self.optimizer == "adamw_8bit"

    @property
    @abstractmethod
    def size(self) -> str:
        """The size of the adapter in a few characters, such as `r8`, for the names of flow runs."""

    @property
    def chooses(self) -> bool:
        """Whether training chooses by the tuning rows of the split; they exist where an adapter of the recipe does."""
        return self.early_stopping is not None or self.sweep is not None

    def labels(self, name: str) -> list[str]:
        """The labels of its trainings, one for each seed, such as `lora` and `lora#2`.

        Args:
            name: The adapter's name in the recipe, which has no `#`.
        """
        return [name, *(f"{name}#{number}" for number in range(2, self.seeds + 1))]

    @abstractmethod
    def peft_config(self, model: "nn.Module", tokenizer_path: str) -> "PeftConfig | None":
        """The PEFT configuration of the adapter; None if the student's own weights are trained.

        Args:
            model: The student; the names of modules to adapt are checked against it.
            tokenizer_path: The folder of the student's tokenizer.

        Raises:
            InputError: If the student has no such modules, or cannot carry the adapter.
        """

    def adapted(self, model: "nn.Module", tokenizer_path: str) -> "nn.Module":
        """The student with a new adapter, ready to be trained; its own weights are frozen.

        Args:
            model: The student. On the device `meta`, where it has no weights, the adapter is added all the same.
            tokenizer_path: The folder of the student's tokenizer.

        Raises:
            InputError: As `peft_config` does.
        """
        from peft import get_peft_model

        config = self.peft_config(model, tokenizer_path)
        return model if config is None else get_peft_model(model, config)  # pyright: ignore[reportArgumentType]

    def rate(self, weight: str) -> float:
        """The peak learning rate of a weight.

        Args:
            weight: Its dotted name in the adapted student.
        """
        return self.learning_rate

    def go_on_from(self, model: Any, folder: Path) -> None:
        """Gives an adapted student the weights of an adapter that `save` wrote.

        Raises:
            InputError: If they are not those of such an adapter.
        """
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        try:
            result = set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"))
        except (RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"start: {self.start} does not fit: {' '.join(str(error).split())[:200]}") from None
        trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
        # PEFT loads a prompt by itself, under another name.
        missing = [] if self.is_prompt else [*trained.intersection(result.missing_keys), *result.unexpected_keys]
        if missing:
            raise InputError(f"start: {self.start} was trained with other settings of {self.name()}: {min(missing)}")

    def save(self, model: Any, folder: Path) -> None:
        """Writes the trained adapter as safetensors, with its configuration."""
        model.save_pretrained(str(folder), safe_serialization=True)

    @model_validator(mode="before")
    @classmethod
    def _preferences_are_learned_slowly(cls, data: Any) -> Any:
        settings = cast(dict[str, Any], data)
        objective = settings.get("objective", "sft")
        name = objective.get("name") if isinstance(objective, dict) else objective
        if name == "sft" or "learning_rate" in settings:
            return settings
        return {**settings, "learning_rate": RATE * cls.model_fields["learning_rate"].default}

    @model_validator(mode="after")
    def _check_objective(self) -> Self:
        if self.objective.pairs and self.packing:
            raise ValueError(f"objective: {self.objective.title} is trained on pairs, which are not packed")
        if self.start is not None and not self.continues:
            raise ValueError(f"start: {self.name()} cannot go on from a saved adapter; leave start out")
        if self.sweep is not None and self.early_stopping is not None:
            raise ValueError("early_stopping: does not go with a sweep, whose trials are compared after equal steps")
        return self

    @model_validator(mode="after")
    def _check_forbidden(self) -> Self:
        for setting, reason in self.forbids.items():
            default = type(self).model_fields[setting].default
            if (value := getattr(self, setting)) != default:
                raise ValueError(f"{self.name()} cannot be trained with {setting}: {value}, since {reason}")
        return self
