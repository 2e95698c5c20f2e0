"""The engine on transformers: a slot whose row has ended takes the next row at once.

Every row has its own random numbers. transformers' own continuous batching has one stream of them for all rows, and
leaves out logits processors that it does not know. Models that keep more of the past than keys and values (Mamba and
other recurrent ones) are drawn from in static batches.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import GenerationConfig

from tuner.generation import seeds
from tuner.generation.engines import Completion, Facts, Request
from tuner.generation.engines.batches import Batches
from tuner.generation.engines.endings import Ending, Endings
from tuner.generation.engines.slots import Slots, fits
from tuner.generation.sampling import choose
from tuner.generation.sources.base import Sampling
from tuner.models import adapted, loading, precision
from tuner.models.adapted import Adapter
from tuner.models.memory import is_out_of_memory
from tuner.settings import Settings

REPORT_EVERY = 0.5
"""Minimum seconds between two calls of `on_tokens`."""

REFILLED = 1 / 16
"""The share of the slots that are free before prompts are computed for them, since a forward pass for one row takes
nearly as long as for some."""


def open(model: str, settings: Settings) -> "TransformersEngine":
    """The engine with a model loaded; raises as `TransformersEngine`."""
    return TransformersEngine(model, settings.batch_size)


@dataclass
class Row:
    """A request in a slot.

    Attributes:
        request: The request.
        ending: What ends it.
        uniforms: Its random numbers, shape (max_tokens,).
        ids: The tokens so far.
    """

    request: Request
    ending: Ending
    uniforms: NDArray[np.float64]
    ids: list[int] = field(default_factory=list)


class TransformersEngine:
    """Keeps a generator in memory and completes prompts with it.

    Args:
        model: The model, as written in a recipe.
        slots: Rows that are drawn at the same time; halved for good whenever the memory does not suffice.
        adapter: An adapter that the model draws with.

    Attributes:
        computed: Steps so far; a step continues every row by a token.

    Raises:
        InputError: If the model cannot be loaded.
        StageError: If the adapter cannot be put on it.
    """

    def __init__(self, model: str, slots: int, adapter: Adapter | None = None) -> None:
        self.computed = 0
        # transformers types its classes by attribute look-up, which hides every call from a type checker.
        self._tokenizer: Any = loading.load_tokenizer(model)
        self._tokenizer.padding_side = "left"
        dtype = precision.inference()
        loaded: Any = adapted.load(model, adapter, dtype) if adapter else loading.load_model(model, dtype)
        self._model: Any = loaded.eval()
        ends = self._model.generation_config.eos_token_id if self._model.generation_config else None
        self._endings = Endings(self._tokenizer, ends)
        # A model's defaults (a repetition penalty, a top-k) would change the result without appearing in the recipe.
        self._model.generation_config = GenerationConfig()
        self._size = slots
        self._slots = Slots(self._model) if fits(self._model) else None

    def complete(
        self, requests: deque[Request], on_tokens: Callable[[int], None]
    ) -> Iterator[tuple[Request, Completion]]:
        """See `Engine.complete`."""
        if self._slots is None:
            yield from Batches(self._model, self._tokenizer, self._endings, self._size).complete(requests, on_tokens)
            return
        slots, rows = self._slots, list[Row]()
        report = _Report(on_tokens)
        try:
            while requests or rows:
                try:
                    done = self._advance(slots, requests, rows)
                except RuntimeError as error:
                    if not is_out_of_memory(error) or self._size == 1:
                        raise
                    # Rows follow from their requests, so they are the same when they are drawn again.
                    requests.extendleft(row.request for row in reversed(rows))
                    report.add(-sum(len(row.ids) for row in rows))
                    rows.clear()
                    slots.clear()
                    self._size = self._size // 2
                    continue
                report.add(len(rows) + len(done))
                yield from done
            report.flush()
        finally:
            while len(slots):
                slots.remove(0)

    def facts(self) -> Facts:
        """See `Engine.facts`."""
        dtype = str(self._model.dtype).removeprefix("torch.")
        # In bfloat16 batched arithmetic rounds so much that other neighbours often mean another token.
        return Facts("transformers", self._model.device.type, dtype, self._size, mixes=dtype == "float32")

    def close(self) -> None:
        """See `Engine.close`."""
        del self._model, self._tokenizer, self._slots

    def _encode(self, prompt: str) -> list[int]:
        return list(self._tokenizer(prompt, add_special_tokens=False)["input_ids"])  # the template contains them

    def _advance(self, slots: Slots, requests: deque[Request], rows: list[Row]) -> list[tuple[Request, Completion]]:
        """Fills free slots, or continues all rows by a token; returns what has ended, whose slots are free."""
        free = self._size - len(rows)
        if requests and free >= min(max(1, self._size * REFILLED), len(requests)):
            new = [self._row(request) for request in list(requests)[:free]]
            for opening in dict.fromkeys(row.request.opening for row in new if row.request.opening):
                slots.share(self._encode(opening))
            logits = slots.add([self._encode(row.request.prompt) for row in new])
            for row in new:
                requests.popleft()
                rows.append(row)
        else:
            new = rows
            self.computed += 1
            logits = slots.step(torch.tensor([row.ids[-1] for row in rows], device=self._model.device))
        for row, token in zip(new, _chosen(new, logits), strict=True):
            row.ids.append(token)
        done: list[tuple[Request, Completion]] = []
        for place in reversed(range(len(rows) - len(new), len(rows))):
            row = rows[place]
            if completion := self._ended(row):
                done.append((row.request, completion))
                slots.remove(place)
                rows[place] = rows[-1]
                rows.pop()
        return done[::-1]

    def _row(self, request: Request) -> Row:
        uniforms = seeds.uniforms(request.seed, request.turn, request.sampling.max_tokens)
        return Row(request, self._endings.of(request.stops), uniforms)

    def _ended(self, row: Row) -> Completion | None:
        completion = self._endings.completion(row.ids, row.ending)
        if completion is None and len(row.ids) == row.request.sampling.max_tokens:
            return self._endings.cut(row.ids)
        return completion


def _chosen(rows: Sequence[Row], logits: torch.Tensor) -> list[int]:
    """The next token of each row, by its own settings and random numbers."""
    tokens = [0] * len(rows)
    alike: dict[Sampling, list[int]] = {}
    for place, row in enumerate(rows):
        alike.setdefault(row.request.sampling, []).append(place)
    for sampling, places in alike.items():
        uniforms = torch.tensor([rows[place].uniforms[len(rows[place].ids)] for place in places], device=logits.device)
        some = logits if len(alike) == 1 else logits[places]
        for place, token in zip(places, choose(some, sampling, uniforms).tolist(), strict=True):
            tokens[place] = token
    return tokens


class _Report:
    """Reports tokens from time to time."""

    def __init__(self, on_tokens: Callable[[int], None]) -> None:
        self._on_tokens, self._tokens, self._last = on_tokens, 0, time.monotonic()

    def add(self, tokens: int) -> None:
        self._tokens += tokens
        if time.monotonic() - self._last >= REPORT_EVERY:
            self.flush()

    def flush(self) -> None:
        self._last = time.monotonic()
        self._on_tokens(self._tokens)
        self._tokens = 0
