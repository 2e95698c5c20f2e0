"""Engines complete prompts. What they are asked and what they answer, whatever runs beneath."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tuner.generation.settings import Sampling
from tuner.models.templates import Template


@dataclass(frozen=True)
class Request:
    """One prompt to continue.

    Attributes:
        prompt: The exact text, special tokens included.
        seed: The row's seed.
        turn: 0 for the instruction, 1 for the response: each draws its own random numbers.
    """

    prompt: str
    seed: int
    turn: int


@dataclass(frozen=True)
class Completion:
    """What came.

    Attributes:
        text: Without special tokens, stripped.
        tokens: Tokens drawn, the end token included.
        finish: `stop` if the model ended the turn, `length` if it was cut off.
    """

    text: str
    tokens: int
    finish: Literal["stop", "length"]


class Engine(Protocol):
    """Completes prompts with a model it holds in memory."""

    @property
    def template(self) -> Template:
        """The model's chat template, cut at the user's words."""
        ...

    def complete(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        stop: str,
        on_progress: Callable[[int, int], None],
    ) -> list[Completion]:
        """Completes every request.

        A completion follows from its request and the sampling; the batch it is computed in changes it only where
        batched arithmetic rounds differently and a random number falls within that difference.

        Args:
            requests: In any order.
            sampling: For all of them.
            stop: Text that ends the turn, besides the model's own end tokens.
            on_progress: Called now and then with (requests finished, tokens drawn so far).

        Returns:
            One completion for each request, in the order of the requests.
        """
        ...
