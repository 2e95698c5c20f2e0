"""What an adapter is trained for: to give the answers of the training rows, or to prefer one answer to another.

The preference objectives take sums of log-likelihoods of two answers under the trained model and, most of them, under
the reference: the model as it was before the training. The formulas are those of TRL's trainers.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union, get_args

from pydantic import BeforeValidator, Field

from tuner.section import Section

if TYPE_CHECKING:
    from torch import Tensor

RATE = 0.05
"""The default learning rate of a preference objective, as a share of the method's own: the first run of this project
tuned a LoRA by DPO at 5e-5."""


@dataclass(frozen=True)
class Likelihoods:
    """The log-likelihoods of a batch of pairs, each of shape (pairs,).

    Attributes:
        chosen: The sum over the chosen answer's tokens, in nats.
        rejected: That of the rejected answer.
        chosen_tokens: The chosen answer's tokens.
        rejected_tokens: The rejected answer's tokens.
        reference_chosen: `chosen` under the reference; zeros for an objective without one.
        reference_rejected: `rejected` under the reference.
        mismatched: The sums over the chosen answer of another pair, under the model minus under the reference.
    """

    chosen: "Tensor"
    rejected: "Tensor"
    chosen_tokens: "Tensor"
    rejected_tokens: "Tensor"
    reference_chosen: "Tensor"
    reference_rejected: "Tensor"
    mismatched: "Tensor"

    @property
    def chosen_ratio(self) -> "Tensor":
        """How much likelier the chosen answer has become, in nats."""
        return self.chosen - self.reference_chosen

    @property
    def rejected_ratio(self) -> "Tensor":
        """How much likelier the rejected answer has become, in nats."""
        return self.rejected - self.reference_rejected


class Objective(Section):
    """An objective. A subclass has a field `name`, by which a recipe chooses it.

    Attributes:
        pairs: Whether it is trained on preference pairs.
        reference: Whether it needs the likelihoods of the reference.
        mismatches: Whether it needs those of answers to other instructions.
    """

    pairs: ClassVar[bool] = True
    reference: ClassVar[bool] = True
    mismatches: ClassVar[bool] = False

    @property
    def title(self) -> str:
        """The name by which a recipe chooses it."""
        return str(get_args(type(self).model_fields["name"].annotation)[0])

    @abstractmethod
    def loss(self, of: Likelihoods) -> "Tensor":
        """The loss of every pair, shape (pairs,)."""


class Sft(Objective):
    """Supervised fine-tuning: the mean negative log-likelihood of the answers' tokens."""

    pairs: ClassVar[bool] = False
    reference: ClassVar[bool] = False

    name: Literal["sft"] = "sft"

    def loss(self, of: Likelihoods) -> "Tensor":
        """Not used: rows are no pairs."""
        raise NotImplementedError


class Dpo(Objective):
    """Direct preference optimization (Rafailov et al. 2023, arXiv 2305.18290).

    Attributes:
        beta: How closely the model is kept to the reference.
    """

    name: Literal["dpo"]
    beta: float = Field(default=0.1, gt=0)

    def loss(self, of: Likelihoods) -> "Tensor":
        """See `Objective.loss`."""
        return -_logsigmoid(self.beta * (of.chosen_ratio - of.rejected_ratio))


class Ipo(Objective):
    """Identity preference optimization (Azar et al. 2023, arXiv 2310.12036), per token as TRL has it.

    Attributes:
        beta: The strength of the regularization, τ in the paper.
    """

    name: Literal["ipo"]
    beta: float = Field(default=0.1, gt=0)

    def loss(self, of: Likelihoods) -> "Tensor":
        """See `Objective.loss`."""
        difference = of.chosen_ratio / of.chosen_tokens - of.rejected_ratio / of.rejected_tokens
        return (difference - 1 / (2 * self.beta)) ** 2


class Kto(Objective):
    """Kahneman-Tversky optimization (Ethayarajh et al. 2024, arXiv 2402.01306), which takes each answer by itself.

    Attributes:
        beta: How closely the model is kept to the reference.
        chosen_weight: The weight of chosen answers.
        rejected_weight: The weight of rejected answers.
    """

    mismatches: ClassVar[bool] = True

    name: Literal["kto"]
    beta: float = Field(default=0.1, gt=0)
    chosen_weight: float = Field(default=1.0, gt=0)
    rejected_weight: float = Field(default=1.0, gt=0)

    def loss(self, of: Likelihoods) -> "Tensor":
        """See `Objective.loss`."""
        import torch

        divergence = of.mismatched.mean().clamp(min=0).detach()
        chosen = 1 - torch.sigmoid(self.beta * (of.chosen_ratio - divergence))
        rejected = 1 - torch.sigmoid(self.beta * (divergence - of.rejected_ratio))
        return (self.chosen_weight * chosen + self.rejected_weight * rejected) / 2


class Orpo(Objective):
    """Odds ratio preference optimization (Hong et al. 2024, arXiv 2403.07691), which needs no reference.

    Attributes:
        beta: The weight of the odds ratio beside the likelihood of the chosen answer, λ in the paper.
    """

    reference: ClassVar[bool] = False

    name: Literal["orpo"]
    beta: float = Field(default=0.1, gt=0)

    def loss(self, of: Likelihoods) -> "Tensor":
        """See `Objective.loss`."""
        chosen, rejected = of.chosen / of.chosen_tokens, of.rejected / of.rejected_tokens
        odds = (chosen - rejected) - (_log1mexp(chosen) - _log1mexp(rejected))
        return -chosen - self.beta * _logsigmoid(odds)


class SimPo(Objective):
    """Simple preference optimization (Meng et al. 2024, arXiv 2405.14734), which needs no reference.

    Attributes:
        beta: The scale of the likelihood per token.
        gamma: The margin by which the chosen answer is to be better.
    """

    reference: ClassVar[bool] = False

    name: Literal["simpo"]
    beta: float = Field(default=2.0, gt=0)
    gamma: float = Field(default=0.5, ge=0)

    def loss(self, of: Likelihoods) -> "Tensor":
        """See `Objective.loss`."""
        difference = of.chosen / of.chosen_tokens - of.rejected / of.rejected_tokens
        return -_logsigmoid(self.beta * difference - self.gamma)


def _logsigmoid(values: "Tensor") -> "Tensor":
    from torch.nn import functional

    return functional.logsigmoid(values)


def _log1mexp(values: "Tensor") -> "Tensor":
    """log(1 - exp(x)) for x < 0, by the exact branch (Mächler 2012, Accurately Computing log(1 - exp(-|a|)))."""
    import torch

    values = values.clamp(max=-1e-6)
    return torch.where(values > -0.6931472, torch.log(-torch.expm1(values)), torch.log1p(-torch.exp(values)))


OBJECTIVES: dict[str, type[Objective]] = {"sft": Sft, "dpo": Dpo, "ipo": Ipo, "kto": Kto, "orpo": Orpo, "simpo": SimPo}
"""The objectives by name."""


def _named(value: Any) -> Any:
    """The section of an objective that a recipe gives by its name alone."""
    return {"name": value} if isinstance(value, str) else value


if TYPE_CHECKING:
    AnyObjective = Objective
else:
    AnyObjective = Annotated[
        Union[tuple(OBJECTIVES.values())], Field(discriminator="name"), BeforeValidator(_named)  # noqa: UP007
    ]
    """An objective in a recipe: its name, or its name and settings."""
