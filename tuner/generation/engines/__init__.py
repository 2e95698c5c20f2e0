"""Engines complete prompts, whatever runs beneath. `TUNER_ENGINE` chooses one, never the recipe.

An engine is a module of this package, listed in `ENGINES`, with a function `open(model, settings)` that returns an
`Engine`.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Literal, Protocol

from tuner.errors import InputError
from tuner.generation.settings import Sampling
from tuner.settings import Settings

ENGINES = ("transformers",)
"""The modules."""


@dataclass(frozen=True)
class Request:
    """One prompt to continue.

    Attributes:
        row: Whose it is, for whoever asks.
        turn: 0 for the instruction, 1 for the response: each draws its own random numbers.
        seed: The row's seed.
        prompt: The exact text, special tokens included.
        sampling: How tokens are drawn.
        stop: Text that ends the turn, besides the model's own end tokens; empty for none.
    """

    row: int
    turn: int
    seed: int
    prompt: str
    sampling: Sampling
    stop: str = ""


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


@dataclass(frozen=True)
class Facts:
    """What the manifest says of how rows were drawn.

    Attributes:
        engine: The engine's name.
        device: What computes, such as `cuda`.
        dtype: The number format, such as `bfloat16`.
    """

    engine: str
    device: str
    dtype: str


class Engine(Protocol):
    """Completes prompts with a model."""

    def complete(
        self, requests: deque[Request], on_tokens: Callable[[int], None]
    ) -> Iterator[tuple[Request, Completion]]:
        """Completes requests, and yields each with its completion as soon as that has ended.

        A completion follows from its request; the batch it is computed in changes it only where batched arithmetic
        rounds differently and a random number falls within that difference.

        Args:
            requests: Are taken out from the left as there is room for them. The caller may add some whenever a
                completion is yielded; the engine ends when none is left and all that it took have ended.
            on_tokens: Called now and then with how many tokens were drawn since the last call.
        """
        ...

    def facts(self) -> Facts:
        """What the manifest says of how rows were drawn."""
        ...

    def close(self) -> None:
        """Frees what it holds."""
        ...


def opened(model: str, settings: Settings) -> Engine:
    """The engine that the settings choose, with a model.

    Args:
        model: As in a recipe.
        settings: Of this process.

    Raises:
        InputError: If there is no such engine, or the model cannot be had.
    """
    if settings.engine not in ENGINES:
        raise InputError(f"TUNER_ENGINE: there is no engine {settings.engine!r}; there are {', '.join(ENGINES)}")
    engine: Engine = import_module(f"{__name__}.{settings.engine}").open(model, settings)
    return engine
