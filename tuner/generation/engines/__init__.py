"""Inference engines behind one interface. `TUNER_ENGINE` chooses the engine, never the recipe.

An engine is a module of this package, listed in `ENGINES`, with a function `open(model, settings)` that returns an
`Engine`.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Literal, Protocol

from tuner.errors import InputError
from tuner.generation.sources.base import Sampling
from tuner.settings import Settings

ENGINES = ("transformers", "vllm", "completions")
"""The names of the modules."""

ON_SERVERS = ("completions",)
"""Those whose model is on servers: this machine needs no GPU and no weights for them."""

EQUAL, SEEDED, UNSEEDED = "equal", "seeded, not equal to the bit", "not seeded"
"""What a completion is when it is drawn again: the same wherever the arithmetic is; the same unless a server rounds
differently in another batch; another one."""


@dataclass(frozen=True)
class Request:
    """One prompt to continue.

    Attributes:
        row: The row's index, for the caller.
        turn: 0 for the instruction, 1 for the response: each has its own random numbers.
        seed: The row's seed.
        prompt: The exact text, special tokens included.
        sampling: The sampling settings.
        stop: What ends the turn in the chat template; empty for nothing but the model's own end tokens.
        opening: What many prompts begin with as this one does, so that it is worth computing once; empty for nothing.
    """

    row: int
    turn: int
    seed: int
    prompt: str
    sampling: Sampling
    stop: str = ""
    opening: str = ""

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end the turn, besides the model's own end tokens."""
        return tuple(filter(None, (self.stop, self.sampling.break_text)))


@dataclass(frozen=True)
class Completion:
    """The completion of a request.

    Attributes:
        text: The text before the end of the turn as it continues the prompt, with the special tokens in it.
        tokens: Tokens sampled, including the end token.
        finish: `stop` if the model ended the turn, `length` if it was cut off.
    """

    text: str
    tokens: int
    finish: Literal["stop", "length"]


@dataclass(frozen=True)
class Facts:
    """What a manifest records about the engine.

    Attributes:
        engine: The engine's name.
        device: The device, such as `cuda`.
        dtype: The number format, such as `bfloat16`.
        slots: Rows that are drawn at the same time, or were at most.
        mixes: Whether rows of several shards may be drawn at once; false where its neighbours can change a row,
            so that a shard has the same rows whenever it is drawn.
        reproducible: `EQUAL`, `SEEDED` or `UNSEEDED`.
        served_model: The model's name on the servers; empty if there are none.
        counted: What the engine itself has counted since it was opened, by name.
    """

    engine: str
    device: str
    dtype: str
    slots: int = 1
    mixes: bool = True
    reproducible: str = EQUAL
    served_model: str = ""
    counted: Mapping[str, float] = field(default_factory=dict[str, float])


class Engine(Protocol):
    """Completes prompts with a model."""

    def complete(
        self, requests: deque[Request], on_tokens: Callable[[int], None]
    ) -> Iterator[tuple[Request, Completion]]:
        """Completes requests, and yields each with its completion as soon as it is finished.

        A completion is determined by its request; the batch can change it only if batched arithmetic rounds
        differently and a random number falls within that difference.

        Args:
            requests: The engine removes requests from the left as it has capacity. The caller may append more whenever
                a completion is yielded; the engine returns when the queue is empty and all removed ones are complete.
            on_tokens: Called from time to time with the number of tokens sampled since the last call.
        """
        ...

    def facts(self) -> Facts:
        """What a manifest records about the engine."""
        ...

    def close(self) -> None:
        """Frees the model's memory."""
        ...


def open_engine(model: str, settings: Settings) -> Engine:
    """The engine that the settings choose, with a model loaded.

    Args:
        model: The model, as written in a recipe.
        settings: The settings of this process.

    Raises:
        InputError: If there is no such engine, or the model cannot be loaded.
    """
    if settings.engine not in ENGINES:
        raise InputError(f"TUNER_ENGINE: no engine {settings.engine!r}; the engines are {', '.join(ENGINES)}")
    engine: Engine = import_module(f"{__name__}.{settings.engine}").open(model, settings)
    return engine
