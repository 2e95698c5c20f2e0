"""The engine on transformers' `generate`: static batches, left padding, every row with its own random numbers."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig

from tuner.generation import seeds
from tuner.generation.engines import Completion, Request
from tuner.generation.sampling import RowSampler
from tuner.generation.settings import Sampling
from tuner.models import loading, precision, templates
from tuner.models.templates import Template
from tuner.settings import settings

REPORT_EVERY = 0.5
"""Seconds between two calls of `on_progress` within a batch."""


class TransformersEngine:
    """Holds a generator in memory and completes prompts with it.

    Args:
        model: As in a recipe.

    Raises:
        InputError: If the model cannot be loaded or has no chat template.
    """

    def __init__(self, model: str) -> None:
        # transformers types its classes by attribute look-up, which hides every call from a type checker.
        self._tokenizer: Any = loading.load_tokenizer(model)
        self._tokenizer.padding_side = "left"
        self._template = templates.of(self._tokenizer, model)
        self._model: Any = loading.load_model(model, precision.inference()).eval()
        own = self._model.generation_config.eos_token_id if self._model.generation_config else None
        self._own_ends = own if isinstance(own, list) else [own]
        # A model's own defaults (a repetition penalty, a top-k) would decide the result unseen by the recipe.
        self._model.generation_config = GenerationConfig()

    @property
    def template(self) -> Template:
        """The model's chat template, cut at the user's words."""
        return self._template

    def complete(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        stop: str,
        on_progress: Callable[[int, int], None],
    ) -> list[Completion]:
        """Completes every request, prompts of like length together. See `Engine.complete`."""
        if not requests:
            return []  # a tokenizer cannot take an empty batch
        lengths = [len(ids) for ids in self._encode([request.prompt for request in requests])["input_ids"]]
        order = sorted(range(len(requests)), key=lambda i: (lengths[i], i))
        completions: dict[int, Completion] = {}
        tokens = 0
        size = settings().batch_size
        for start in range(0, len(order), size):
            batch = order[start : start + size]

            def report(steps: int, drawn: int = tokens, rows: int = len(batch), finished: int = start) -> None:
                on_progress(finished, drawn + steps * rows)

            done = self._batch([requests[i] for i in batch], sampling, stop, report)
            completions.update(zip(batch, done, strict=True))
            tokens += sum(completion.tokens for completion in done)
            on_progress(len(completions), tokens)
        return [completions[i] for i in range(len(requests))]

    def _encode(self, prompts: list[str], **options: Any) -> dict[str, torch.Tensor]:
        return dict(self._tokenizer(prompts, add_special_tokens=False, **options))  # the template holds them

    @torch.inference_mode()
    def _batch(
        self, requests: list[Request], sampling: Sampling, stop: str, report: Callable[[int], None]
    ) -> list[Completion]:
        encoded = self._encode([request.prompt for request in requests], padding=True, return_tensors="pt")
        inputs = {key: value.to(self._model.device) for key, value in encoded.items() if key != "token_type_ids"}
        length = inputs["input_ids"].shape[1]
        ends, stop_text = self._ends(stop)
        uniforms = np.stack([seeds.uniforms(r.seed, r.turn, sampling.max_tokens) for r in requests])
        sampler = RowSampler(sampling, torch.from_numpy(uniforms), length, _throttled(report))
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
        return [self._completion(ids, ends, stop_text) for ids in output[:, length:].tolist()]

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


def _throttled(report: Callable[[int], None]) -> Callable[[int], None]:
    last = time.monotonic()

    def on_step(step: int) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_EVERY:
            last = time.monotonic()
            report(step)

    return on_step
