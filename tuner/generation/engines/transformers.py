"""The engine on transformers' `generate`: static batches, left padding, and separate random numbers for every row."""

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
"""Minimum seconds between two calls of `on_tokens` within a batch."""


def open(model: str, settings: Settings) -> "TransformersEngine":
    """The engine with a model loaded; raises as `TransformersEngine`."""
    return TransformersEngine(model, settings.batch_size)


class TransformersEngine:
    """Keeps a generator in memory and completes prompts with it.

    Args:
        model: The model, as written in a recipe.
        batch_size: Rows in a batch.

    Raises:
        InputError: If the model cannot be loaded.
    """

    def __init__(self, model: str, batch_size: int) -> None:
        self._batch_size = batch_size
        # transformers types its classes by attribute look-up, which hides every call from a type checker.
        self._tokenizer: Any = loading.load_tokenizer(model)
        self._tokenizer.padding_side = "left"
        self._model: Any = loading.load_model(model, precision.inference()).eval()
        ends = self._model.generation_config.eos_token_id if self._model.generation_config else None
        self._model_ends = ends if isinstance(ends, list) else [ends]
        # A model's defaults (a repetition penalty, a top-k) would change the result without appearing in the recipe.
        self._model.generation_config = GenerationConfig()

    def complete(
        self, requests: deque[Request], on_tokens: Callable[[int], None]
    ) -> Iterator[tuple[Request, Completion]]:
        """Completes requests in batches of equal sampling settings and similar prompt lengths."""
        while requests:
            key = requests[0].sampling, requests[0].stop
            group = [request for request in requests if (request.sampling, request.stop) == key]
            lengths = [len(ids) for ids in self._encode([request.prompt for request in group])["input_ids"]]
            others = [request for request in requests if (request.sampling, request.stop) != key]
            requests.clear()
            requests.extend(others)
            order = sorted(range(len(group)), key=lambda i: (lengths[i], i))
            for start in range(0, len(order), self._batch_size):
                batch = [group[i] for i in order[start : start + self._batch_size]]
                yield from zip(batch, self._batch(batch, on_tokens), strict=True)

    def facts(self) -> Facts:
        """See `Engine.facts`."""
        return Facts("transformers", self._model.device.type, str(self._model.dtype).removeprefix("torch."))

    def close(self) -> None:
        """See `Engine.close`."""
        del self._model, self._tokenizer

    def _encode(self, prompts: list[str], **options: Any) -> dict[str, torch.Tensor]:
        return dict(self._tokenizer(prompts, add_special_tokens=False, **options))  # the template contains them

    @torch.inference_mode()
    def _batch(self, requests: list[Request], on_tokens: Callable[[int], None]) -> list[Completion]:
        sampling, stop = requests[0].sampling, requests[0].stop
        encoded = self._encode([request.prompt for request in requests], padding=True, return_tensors="pt")
        inputs = {key: value.to(self._model.device) for key, value in encoded.items() if key != "token_type_ids"}
        length = inputs["input_ids"].shape[1]
        ends, stop_text = self._ends(stop)
        uniforms = np.stack([seeds.uniforms(r.seed, r.turn, sampling.max_tokens) for r in requests])
        report = _Report(on_tokens, len(requests))
        sampler = RowSampler(sampling, torch.from_numpy(uniforms), length, report.step)
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
        completions = [self._completion(ids, ends, stop_text) for ids in output[:, length:].tolist()]
        report.total(sum(completion.tokens for completion in completions))
        return completions

    def _completion(self, ids: list[int], ends: list[int], stop_text: str) -> Completion:
        end = next((i for i, token in enumerate(ids) if token in ends), None)
        text = self._tokenizer.decode(ids[:end])
        if end is None and stop_text and stop_text in text:
            # Before its special tokens are left out, which a stop text may hold.
            text = text.partition(stop_text)[0]
            # A row ends with the token that completes the stop text; the rest is padding.
            pad = self._tokenizer.pad_token_id
            count = len(ids)
            while count and ids[count - 1] == pad:
                count -= 1
            return Completion(text, count, "stop")
        if end is None:
            return Completion(text, len(ids), "length")
        return Completion(text, end + 1, "stop")

    def _ends(self, stop: str) -> tuple[list[int], str]:
        """Token ids that end a turn, and the stop text if it is not a single token."""
        ends = {self._tokenizer.eos_token_id, *self._model_ends}
        if stop and stop in self._tokenizer.get_added_vocab():
            ends.add(self._tokenizer.get_added_vocab()[stop])
            stop = ""
        return sorted(end for end in ends if end is not None), stop


class _Report:
    """Reports a batch's tokens from time to time; at the end corrects the total, which then excludes padding."""

    def __init__(self, on_tokens: Callable[[int], None], rows: int) -> None:
        self._on_tokens, self._rows, self._reported, self._last = on_tokens, rows, 0, time.monotonic()

    def step(self, step: int) -> None:
        if time.monotonic() - self._last >= REPORT_EVERY:
            self.total(step * self._rows)

    def total(self, tokens: int) -> None:
        self._last = time.monotonic()
        self._on_tokens(tokens - self._reported)
        self._reported = tokens
