"""The engine on transformers' `generate`: static batches, left padding, every row with its own random numbers."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig

from tuner.generation import seeds
from tuner.generation.engines import Completion, Facts, Request
from tuner.generation.sampling import RowSampler
from tuner.models import loading, precision
from tuner.settings import Settings

REPORT_EVERY = 0.5
"""Seconds between two calls of `on_tokens` within a batch."""


def open(model: str, settings: Settings) -> "TransformersEngine":
    """The engine with a model in memory; raises as `TransformersEngine`."""
    return TransformersEngine(model, settings.batch_size)


class TransformersEngine:
    """Holds a generator in memory and completes prompts with it.

    Args:
        model: As in a recipe.
        slots: Rows of a batch.

    Raises:
        InputError: If the model cannot be loaded.
    """

    def __init__(self, model: str, slots: int) -> None:
        self._slots = slots
        # transformers types its classes by attribute look-up, which hides every call from a type checker.
        self._tokenizer: Any = loading.load_tokenizer(model)
        self._tokenizer.padding_side = "left"
        self._model: Any = loading.load_model(model, precision.inference()).eval()
        own = self._model.generation_config.eos_token_id if self._model.generation_config else None
        self._own_ends = own if isinstance(own, list) else [own]
        # A model's own defaults (a repetition penalty, a top-k) would decide the result unseen by the recipe.
        self._model.generation_config = GenerationConfig()

    def complete(
        self, requests: deque[Request], on_tokens: Callable[[int], None]
    ) -> Iterator[tuple[Request, Completion]]:
        """Completes requests in batches of those that are sampled alike, prompts of like length together."""
        while requests:
            how = requests[0].sampling, requests[0].stop
            alike = [request for request in requests if (request.sampling, request.stop) == how]
            lengths = [len(ids) for ids in self._encode([request.prompt for request in alike])["input_ids"]]
            others = [request for request in requests if (request.sampling, request.stop) != how]
            requests.clear()
            requests.extend(others)
            order = sorted(range(len(alike)), key=lambda i: (lengths[i], i))
            for start in range(0, len(order), self._slots):
                batch = [alike[i] for i in order[start : start + self._slots]]
                yield from zip(batch, self._batch(batch, on_tokens), strict=True)

    def facts(self) -> Facts:
        """As of `Engine.facts`."""
        return Facts("transformers", self._model.device.type, str(self._model.dtype).removeprefix("torch."))

    def close(self) -> None:
        """As of `Engine.close`."""
        del self._model, self._tokenizer

    def _encode(self, prompts: list[str], **options: Any) -> dict[str, torch.Tensor]:
        return dict(self._tokenizer(prompts, add_special_tokens=False, **options))  # the template holds them

    @torch.inference_mode()
    def _batch(self, requests: list[Request], on_tokens: Callable[[int], None]) -> list[Completion]:
        sampling, stop = requests[0].sampling, requests[0].stop
        encoded = self._encode([request.prompt for request in requests], padding=True, return_tensors="pt")
        inputs = {key: value.to(self._model.device) for key, value in encoded.items() if key != "token_type_ids"}
        length = inputs["input_ids"].shape[1]
        ends, stop_text = self._ends(stop)
        uniforms = np.stack([seeds.uniforms(r.seed, r.turn, sampling.max_tokens) for r in requests])
        told = _Told(on_tokens, len(requests))
        sampler = RowSampler(sampling, torch.from_numpy(uniforms), length, told.step)
        config = GenerationConfig(
            max_new_tokens=sampling.max_tokens,
            do_sample=False,
            eos_token_id=ends,
            pad_token_id=self._tokenizer.pad_token_id,
            stop_strings=[stop_text] if stop_text else None,
        )
        output = self._model.generate(
            **inputs,
            generation_config=config,
            logits_processor=[sampler],
            tokenizer=self._tokenizer if stop_text else None,
        )
        done = [self._completion(ids, ends, stop_text) for ids in output[:, length:].tolist()]
        told.end(sum(completion.tokens for completion in done))
        return done

    def _completion(self, ids: list[int], ends: list[int], stop_text: str) -> Completion:
        end = next((i for i, token in enumerate(ids) if token in ends), None)
        text = self._tokenizer.decode(ids[:end], skip_special_tokens=True)
        if end is None and stop_text and stop_text in text:
            text = text.partition(stop_text)[0]
            # Generation of a row stops with the token that completes the stop text; what follows is padding.
            pad = self._tokenizer.pad_token_id
            drawn = len(ids)
            while drawn and ids[drawn - 1] == pad:
                drawn -= 1
            return Completion(text.strip(), drawn, "stop")
        if end is None:
            return Completion(text.strip(), len(ids), "length")
        return Completion(text.strip(), end + 1, "stop")

    def _ends(self, stop: str) -> tuple[list[int], str]:
        """Token ids that end a turn, and the stop text if it is no token of its own."""
        ends = {self._tokenizer.eos_token_id, *self._own_ends}
        if stop and stop in self._tokenizer.get_added_vocab():
            ends.add(self._tokenizer.get_added_vocab()[stop])
            stop = ""
        return sorted(end for end in ends if end is not None), stop


class _Told:
    """Tells now and then how many tokens a batch has drawn; at its end what its rows hold, without the padding."""

    def __init__(self, on_tokens: Callable[[int], None], rows: int) -> None:
        self._on_tokens, self._rows, self._said, self._last = on_tokens, rows, 0, time.monotonic()

    def step(self, step: int) -> None:
        if time.monotonic() - self._last >= REPORT_EVERY:
            self.end(step * self._rows)

    def end(self, tokens: int) -> None:
        self._last = time.monotonic()
        self._on_tokens(tokens - self._said)
        self._said = tokens
